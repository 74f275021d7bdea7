"""The tokenizer as training and runtime share it: normalise, cut, byte-level BPE."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from codewren_runtime.errors import ModelError
from codewren_runtime.text import normalise
from codewren_runtime.types import MIN_LENGTH, Normalisation

__all__ = ["BOS", "EOS", "MASK", "PAD", "SPECIAL_TOKENS", "UNK", "CodeTokenizer"]

BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
SPECIAL_TOKENS = (BOS, PAD, EOS, UNK, MASK)  # in id order, as RoBERTa numbers them

# A token of code is rarely longer than this many characters; what lies beyond
# max_length times this cannot reach the window, and tokenizing it costs time.
CHARACTERS_PER_TOKEN = 9


class CodeTokenizer:
    """Turns source text into token ids: `<s>` first, `</s>` last, at most `max_length` in all.

    Raises ModelError if the vocabulary lacks a special token. Thread-safe.
    """

    def __init__(self, json_text: str, max_length: int, normalisation: Normalisation) -> None:
        if max_length < MIN_LENGTH:
            raise ModelError(
                f"tokenizer: max_length must be at least {MIN_LENGTH}, not {max_length}"
            )
        try:
            tokenizer = Tokenizer.from_str(json_text)
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"tokenizer: not a tokenizer.json ({error})") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # Source that happens to contain the text "</s>" must not become a special token.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._json_text = json_text
        self.max_length = max_length
        self.normalisation = normalisation
        self.bos_id, self.pad_id, self.eos_id = (self._special(t) for t in (BOS, PAD, EOS))

    @classmethod
    def from_file(cls, path: Path, max_length: int, normalisation: Normalisation) -> CodeTokenizer:
        """Read a `tokenizer.json`; raises ModelError if it is missing or damaged."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: cannot be read ({error})") from error
        return cls(text, max_length, normalisation)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, the special ones included."""
        return int(self._tokenizer.get_vocab_size())

    def to_json(self) -> str:
        """The text of the `tokenizer.json` that this was made from."""
        return self._json_text

    def encode(self, text: str) -> list[int]:
        """Token ids of one text, between 2 and `max_length` of them."""
        cut = normalise(text, self.normalisation)[: self.max_length * CHARACTERS_PER_TOKEN]
        ids = self._tokenizer.encode(cut, add_special_tokens=False).ids
        return [self.bos_id, *ids[: self.max_length - 2], self.eos_id]

    def _special(self, token: str) -> int:
        token_id = self._tokenizer.token_to_id(token)
        if token_id is None:
            raise ModelError(f"tokenizer: special token {token!r} is missing")
        return int(token_id)
