"""How a large weight is stored in 16, 8 or 4 bits, and the fp32 values that come back.

One rule for the two who need it: export stores by it, training for a precision rounds by it.
8 bits have one scale per output of a matrix and per row of an embedding; 4 bits one per block of
at most `BLOCK` weights that are summed together, since 16 steps must not stretch over a whole
column. Tables take 8 bits there too: nothing averages their error out (in 4 bits they tripled
that of the logits of a published student). Tables of rows too narrow for scales of their own
hold the root of each value in 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blocks", "Half", "Layout", "Roots", "Steps", "Stored", "store"]

MIN_WEIGHTS = 1_024  # below this, the nodes and the scales cost what rounding would save
MIN_ROW = 8  # a scale takes four bytes: rows narrower than this share those of their columns

INT8_MAX = 127
INT4_MIN, INT4_MAX = -8, 7
BLOCK, MIN_BLOCK = 32, 8

Floats = NDArray[np.float32]
# What belongs together: the columns of a matrix (in, out); the rows of a transposed one, or of
# the positions; the rows of a table of which only some are looked up.
Layout = Literal["columns", "rows", "table"]


@dataclass(frozen=True, eq=False)
class Half:
    """fp16."""

    values: NDArray[np.float16]

    def widened(self) -> Floats:
        """The values that a bundle computes with."""
        return self.values.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Steps:
    """`steps` int8 times `scales` fp32, which broadcast over them."""

    steps: NDArray[np.int8]
    scales: Floats

    def widened(self) -> Floats:
        """The values that a bundle computes with."""
        return self.steps.astype(np.float32) * self.scales


@dataclass(frozen=True, eq=False)
class Roots:
    """8 bits of each value's root: fine steps where most values are.

    For tables of linear weights, a few of which are a hundred times the others. A value is
    steps · |steps| · `squares`, a square of a scale for each column.
    """

    steps: NDArray[np.int8]
    squares: Floats

    def widened(self) -> Floats:
        """The values that a bundle computes with."""
        wide = self.steps.astype(np.float32)
        return wide * np.abs(wide) * self.squares


@dataclass(frozen=True, eq=False)
class Blocks:
    """4 bits (blocks, block, out) times fp16 `scales` (blocks, 1, out), of a matrix (in, out)."""

    steps: NDArray[np.int8]
    scales: NDArray[np.float16]

    def widened(self) -> Floats:
        """The values that a bundle computes with."""
        wide = self.steps.astype(np.float32) * self.scales.astype(np.float32)
        return wide.reshape(-1, wide.shape[-1])


Stored = Half | Steps | Roots | Blocks


def store(values: Floats, bits: int, layout: Layout) -> Stored | None:
    """A weight in 4, 8 or 16 bits; None for one so small, or a vector, that it stays as it is.

    Where 4 were asked for, rows and tables take 8, and so does a matrix that no block divides.
    """
    if values.ndim < 2 or values.size < MIN_WEIGHTS:
        return None
    if bits == 16:
        return Half(_to_half(values))
    by_row = layout != "columns" and values.shape[-1] >= MIN_ROW
    if layout == "table" and not by_row:
        return _square_root(values)
    if bits == 4 and not by_row and values.ndim == 2 and (block := _block(len(values))):
        return _int4(values, block)
    return _int8(values, by_row=by_row)


def _to_half(values: Floats) -> NDArray[np.float16]:
    largest = np.finfo(np.float16).max
    return np.clip(values, -largest, largest).astype(np.float16)


def _int8(values: Floats, *, by_row: bool) -> Steps:
    axis = -1 if by_row else tuple(range(values.ndim - 1))
    scale = np.abs(values).max(axis=axis, keepdims=True) / np.float32(INT8_MAX)
    scale = np.where(scale == 0, np.float32(1), scale).astype(np.float32)
    return Steps(np.rint(values / scale).astype(np.int8), scale)


def _square_root(values: Floats) -> Roots:
    roots = np.sign(values) * np.sqrt(np.abs(values))
    rounded = _int8(roots.astype(np.float32), by_row=False)
    return Roots(rounded.steps, rounded.scales**2)


def _int4(values: Floats, block: int) -> Blocks:
    """Each block's largest value is stored exactly."""
    blocks = values.reshape(len(values) // block, block, values.shape[1])
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(1, keepdims=True), 1)
    scale = _to_half(largest / np.float32(INT4_MIN))
    scale[scale == 0] = 1
    steps = np.rint(blocks / scale.astype(np.float32)).clip(INT4_MIN, INT4_MAX)
    return Blocks(steps.astype(np.int8), scale)


def _block(summed: int) -> int:
    """The largest block that divides this many weights; 0 if only tiny ones do."""
    sizes = (size for size in range(min(BLOCK, summed), MIN_BLOCK - 1, -1) if summed % size == 0)
    return next(sizes, 0)
