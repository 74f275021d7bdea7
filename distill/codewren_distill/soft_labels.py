"""Soft labels: a teacher's logits, cached by the hash of what it read.

Of an embedding task, which has no labels, they are the teacher's embeddings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren_distill.keyed import load_keyed, save_keyed
from codewren_runtime.errors import DataError
from codewren_runtime.lazy import Lazy
from codewren_runtime.types import Example

__all__ = ["SoftLabels", "Taught", "example_key", "mean_of"]


def example_key(example: Example) -> bytes:
    """sha256 (32 bytes) of the texts that the teacher reads, each with its length in front."""
    digest = hashlib.sha256()
    for text in example.taught:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.digest()


class Taught(Lazy[Example]):
    """What the teacher reads of some rows, by their numbers."""

    def __init__(self, examples: Sequence[Example], rows: Sequence[int]) -> None:
        self._examples, self._rows = examples, rows

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, place: int) -> Example:
        """The texts of one of them."""
        return Example.of(self._examples[self._rows[place]].taught)


@dataclass
class SoftLabels:
    """Logits by example key, of one teacher (sha256 of its folder) with its labels.

    Without labels the rows are embeddings, of any width but all of the same, kept in float16.
    """

    teacher: str
    labels: tuple[str, ...]
    logits: dict[bytes, NDArray[Any]]

    @property
    def dtype(self) -> type[np.float32] | type[np.float16]:
        """What a row's numbers are kept in."""
        return np.float32 if self.labels else np.float16

    def add(self, examples: Iterable[Example], logits: NDArray[np.float32]) -> None:
        """Remember logits (n, labels) of n examples."""
        self.add_keys(map(example_key, examples), logits)

    def add_keys(self, keys: Iterable[bytes], logits: NDArray[np.float32]) -> None:
        """The same by the keys of examples."""
        self.logits.update(zip(keys, logits.astype(self.dtype), strict=True))

    def matrix(self, examples: Sequence[Example]) -> NDArray[Any]:
        """Logits (examples, labels), or embeddings; DataError if an example was never labelled."""
        return self.of_keys([example_key(example) for example in examples])

    def of_keys(self, keys: Sequence[bytes]) -> NDArray[Any]:
        """The same by the keys of examples."""
        missing = sum(key not in self.logits for key in keys)
        if missing:
            raise DataError(
                f"soft labels are for other rows: {missing} of {len(keys)} examples have none; "
                "run label on this data"
            )
        return np.stack([self.logits[key] for key in keys])

    def save(self, path: Path) -> None:
        """Write atomically: keys (n, 32) uint8 and logits (n, labels) in `dtype`."""
        header = {"teacher": self.teacher, "labels": json.dumps(self.labels)}
        rows = {key: row.astype(self.dtype) for key, row in self.logits.items()}
        save_keyed(path, "logits", rows, header)

    @classmethod
    def load(cls, path: Path) -> SoftLabels:
        """Read what `save` wrote; DataError in one line if it is missing or damaged."""
        header, rows = load_keyed(path, "logits", "soft labels", "label")
        try:
            teacher, labels = header["teacher"], tuple(json.loads(header["labels"]))
        except (KeyError, ValueError) as error:
            raise DataError(f"{path}: damaged soft labels ({error}); run label --force") from error
        if labels and any(row.shape != (len(labels),) for row in rows.values()):
            raise DataError(f"{path}: damaged soft labels (shapes disagree); run label --force")
        return cls(teacher, labels, rows)


def mean_of(teachers: Sequence[SoftLabels]) -> SoftLabels:
    """Log of the mean of the teachers' probabilities, on the examples that all have labelled.

    Probabilities at temperature 1, and not logits: the scale of logits differs from teacher to
    teacher, so that in their mean the one with the largest would outvote the rest. The log
    makes logits of the mean again, whose softmax it is (Lakshminarayanan et al., NeurIPS 2017,
    section 2.4 average probabilities likewise).
    """
    first, *others = teachers
    keys = [key for key in first.logits if all(key in other.logits for other in others)]
    stacked = np.stack([[soft.logits[key] for key in keys] for soft in teachers]).astype(np.float64)
    log_probabilities = stacked - np.logaddexp.reduce(stacked, axis=-1, keepdims=True)
    mean = np.logaddexp.reduce(log_probabilities, axis=0) - np.log(len(teachers))
    rows = mean.astype(np.float32)
    return SoftLabels(first.teacher, first.labels, dict(zip(keys, rows, strict=True)))
