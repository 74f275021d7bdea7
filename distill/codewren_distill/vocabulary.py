"""Train the student's byte-level BPE on the same code that it will learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from codewren_runtime.errors import OptionError
from codewren_runtime.text import normalise
from codewren_runtime.tokenizer import BOS, EOS, SPECIAL_TOKENS, UNK
from codewren_runtime.types import Example, Normalisation

__all__ = ["DistinctTexts", "train_tokenizer"]

BYTES = 256


class DistinctTexts:
    """The texts of examples in order of appearance, each once; memory holds their hashes alone.

    May be gone through again and again.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        self._examples = examples

    def __iter__(self) -> Iterator[str]:
        seen: set[bytes] = set()
        for example in self._examples:
            for text in example.texts:
                digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
                if digest not in seen:
                    seen.add(digest)
                    yield text


def train_tokenizer(texts: Iterable[str], vocab_size: int, normalisation: Normalisation) -> str:
    """Byte-level BPE over `texts`, as the text of a `tokenizer.json`.

    The special tokens take ids 0 to 4 in RoBERTa's order. Raises OptionError if
    `vocab_size` cannot hold the 256 bytes and the special tokens.
    """
    if vocab_size < BYTES + len(SPECIAL_TOKENS):
        raise OptionError(
            f"vocab_size {vocab_size} is too small: byte-level BPE needs at least "
            f"{BYTES + len(SPECIAL_TOKENS)}"
        )
    tokenizer = Tokenizer(models.BPE(unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((normalise(text, normalisation) for text in texts), trainer)
    ids = {token: tokenizer.token_to_id(token) for token in (BOS, EOS)}
    tokenizer.post_processor = processors.RobertaProcessing(
        (EOS, ids[EOS]), (BOS, ids[BOS]), trim_offsets=False, add_prefix_space=False
    )
    return str(tokenizer.to_str())
