"""For each function the other functions that look most like it, by what renaming leaves alone."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from codewren.demo.functions import Function

__all__ = ["nearest"]

WIDTH = 2048
NEAR_DUPLICATE = 0.9

_Matrix = npt.NDArray[np.float32]


def nearest(pool: Sequence[Function], queries: int, count: int) -> list[list[int]]:
    """Indices of the `count` nearest others in `pool` for its first `queries`, nearest first.

    Near-duplicates are left out: calling them different would be a wrong label.
    """
    vectors = _vectors(pool)
    found: list[list[int]] = []
    for start in range(0, queries, 512):
        block = vectors[start : min(start + 512, queries)] @ vectors.T
        block[block > NEAR_DUPLICATE] = -1.0
        width = min(count, len(pool) - 1)
        order = np.argsort(-block, axis=1, kind="stable")[:, :width]
        found += [[int(i) for i in row if block[at, i] > 0.0] for at, row in enumerate(order)]
    return found


def _vectors(pool: Sequence[Function]) -> _Matrix:
    """Unit rows of hashed, smoothed TF-IDF; the hash is fixed, so runs agree."""
    frequency = Counter(trait for function in pool for trait in set(function.traits))
    places = {trait: zlib.crc32(trait.encode()) % WIDTH for trait in sorted(frequency)}
    weights = {t: float(np.log((1 + len(pool)) / (1 + n)) + 0.1) for t, n in frequency.items()}
    matrix: _Matrix = np.zeros((len(pool), WIDTH), dtype=np.float32)
    for row, function in enumerate(pool):
        for trait, times in Counter(function.traits).items():
            matrix[row, places[trait]] += (1.0 + np.log(times)) * weights[trait]
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: _Matrix = (matrix / np.maximum(norms, 1e-12)).astype(np.float32)
    return unit
