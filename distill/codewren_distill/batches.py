"""Batches of like length: padding to the window costs 1.6 times a training step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from codewren_distill.text_side import Encoded
from codewren_distill.token_file import TokenFile

__all__ = ["LengthBuckets", "Rows", "by_length", "lengths_of"]

Lengths = Sequence[int] | NDArray[np.int64]

# Batches per pool that is shuffled as a whole and sorted by length inside.
POOL = 40


class Rows(Dataset[tuple[Encoded, Tensor]]):
    """Encoded examples with their targets: label indices (n,) or soft labels (n, labels)."""

    def __init__(self, encoded: Sequence[Encoded], targets: Tensor) -> None:
        self.encoded = encoded
        self.targets = targets

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: int) -> tuple[Encoded, Tensor]:
        return self.encoded[index], self.targets[index]


class LengthBuckets(Sampler[list[int]]):
    """Batches of one epoch, from step `start`: random, yet of like length within.

    The order is a function of `seed` and `epoch` alone, so that a resumed run sees the
    batches that an uninterrupted one would have seen.
    """

    def __init__(
        self, lengths: Lengths, batch_size: int, *, seed: int, epoch: int, start: int = 0
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = (seed, epoch)
        self.start = start

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size) - self.start

    def __iter__(self) -> Iterator[list[int]]:
        yield from self._batches()[self.start :]

    def _batches(self) -> list[list[int]]:
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(self.lengths))
        pool = POOL * self.batch_size
        batches: list[list[int]] = []
        for begin in range(0, len(order), pool):
            part = order[begin : begin + pool]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += [
                part[i : i + self.batch_size].tolist() for i in range(0, len(part), self.batch_size)
            ]
        return [batches[i] for i in rng.permutation(len(batches))]


def by_length(lengths: Lengths, batch_size: int) -> list[list[int]]:
    """All rows in batches from the shortest to the longest, for scoring."""
    order = np.argsort(np.asarray(lengths), kind="stable")
    return [order[i : i + batch_size].tolist() for i in range(0, len(order), batch_size)]


def lengths_of(encoded: Sequence[Encoded]) -> Lengths:
    """What each row costs when padded."""
    if isinstance(encoded, TokenFile):
        return encoded.lengths
    return [row_length(row) for row in encoded]


def row_length(encoded: Encoded) -> int:
    """What a row costs when padded: its longest sequence."""
    return max(map(len, encoded))
