"""The text side of a classifier: from examples to padded tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch

from codewren_runtime.errors import DataError, ModelError
from codewren_runtime.text import normalise
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Example

__all__ = ["Batch", "CrossText", "Encoded", "SiameseText", "Tokenizes", "TransformersTokenizer"]

MULTIPLE = 16  # lengths of padded batches
REMEMBERED = 20_000

Batch = dict[str, torch.Tensor]  # what a model takes
Encoded = tuple[tuple[int, ...], ...]  # token ids of each sequence that the model reads


class Tokenizes(Protocol):
    """What both tokenizers offer."""

    pad_id: int
    max_length: int

    @property
    def vocab_size(self) -> int:
        """How many tokens there are; every id is below."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of one text, special tokens included."""
        ...


class TransformersTokenizer:
    """A teacher's own tokenizer, behind the interface of `CodeTokenizer`.

    Teachers read the text with its case and lines; a teacher that wants another form
    normalises in its own tokenizer.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.pad_id = int(tokenizer.pad_token_id)
        self.embedded: int | None = None  # tokens that the model knows, once it is known

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, added ones among them."""
        return len(self.tokenizer)

    def encode(self, text: str) -> list[int]:
        """Token ids, cut at `max_length`."""
        return self._ids(normalise(text, "structure"))

    def encode_pair(self, text: str, text2: str) -> list[int]:
        """Token ids of both texts in one sequence, the longer cut first."""
        return self._ids(normalise(text, "structure"), normalise(text2, "structure"))

    def _ids(self, *texts: str) -> list[int]:
        encoded = self.tokenizer(*texts, truncation=True, max_length=self.max_length)
        return self.known(encoded["input_ids"])

    def known(self, ids: Sequence[int]) -> list[int]:
        """The same ids; ModelError where the model has no embedding of one."""
        if self.embedded is not None and max(ids, default=0) >= self.embedded:
            raise ModelError(
                f"{self.tokenizer.name_or_path}: the tokenizer gives token {max(ids)}, the model "
                f"knows {self.embedded}; put the tokenizer there that it was trained with"
            )
        return list(ids)


class SiameseText:
    """Encodes each text alone; serves single texts and siamese pairs."""

    def __init__(self, tokenizer: CodeTokenizer | TransformersTokenizer, *, pairs: bool) -> None:
        self.tokenizer = tokenizer
        self.pairs = pairs
        self._ids: Callable[[str], tuple[int, ...]] = lambda text: tuple(tokenizer.encode(text))
        if pairs:  # a text that stands in many is tokenized once
            self._ids = lru_cache(maxsize=REMEMBERED)(self._ids)

    def encode(self, example: Example) -> Encoded:
        """One tuple of ids per text; DataError for pairs where one text is read, or the reverse."""
        check_kind(example, pairs=self.pairs)
        return tuple(self._ids(text) for text in example.texts)

    def collate(self, rows: Sequence[Encoded]) -> Batch:
        """Pad to one length: all first texts, then, for pairs, all second ones."""
        texts = [row[side] for side in range(1 + self.pairs) for row in rows]
        return pad(texts, self.tokenizer)


class CrossText:
    """Encodes both texts of a pair as one sequence (cross-encoding).

    `token_types` is whether the model has more than one.
    """

    def __init__(self, tokenizer: TransformersTokenizer, *, token_types: bool) -> None:
        self.tokenizer = tokenizer
        own = tokenizer.tokenizer
        self.token_types = token_types and "token_type_ids" in own.model_input_names

    def encode(self, example: Example) -> Encoded:
        """One tuple of ids for the pair; DataError for a single text."""
        check_kind(example, pairs=True)
        return (tuple(self.tokenizer.encode_pair(example.text, example.text2 or "")),)

    def collate(self, rows: Sequence[Encoded]) -> Batch:
        """Pad, and number the two texts for a model that has types of tokens."""
        batch = pad([row[0] for row in rows], self.tokenizer)
        if self.token_types:
            separator = self.tokenizer.tokenizer.sep_token_id
            batch["token_type_ids"] = self._token_types(batch["input_ids"], separator)
        return batch

    def _token_types(self, input_ids: torch.Tensor, separator: int) -> torch.Tensor:
        # BERT's form: [CLS] a [SEP] b [SEP]; type 1 begins after the first separator.
        is_separator = (input_ids == separator).long()
        after_first = (is_separator.cumsum(1) - is_separator).clamp_max(1)
        return after_first * (input_ids != self.tokenizer.pad_id).long()


def check_kind(example: Example, *, pairs: bool) -> None:
    """DataError unless the example is a pair just where the model reads pairs."""
    if (example.text2 is not None) != pairs:
        reads, held = ("pairs", "single texts") if pairs else ("single texts", "pairs")
        raise DataError(
            f"the model reads {reads} and the data holds {held}; "
            "name one field with --text, or two with --text1 and --text2"
        )


def pad(sequences: Sequence[Sequence[int]], tokenizer: Tokenizes) -> Batch:
    """Pad id sequences on the right to `input_ids` and `attention_mask` (n, length).

    The length is rounded up: a CPU kernel is compiled for every shape that it meets, which
    costs more than the padding. Never beyond the tokenizer's `max_length`.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    longest = int(lengths.max())
    longest = max(longest, min(tokenizer.max_length, -(-longest // MULTIPLE) * MULTIPLE))
    real = np.arange(longest) < lengths[:, None]
    ids = np.full(real.shape, tokenizer.pad_id, np.int64)
    # All at once: a tensor for each row takes longer than a GPU needs for a batch of them.
    ids[real] = np.fromiter(chain.from_iterable(sequences), np.int64, int(lengths.sum()))
    mask = real.astype(np.int64)
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
