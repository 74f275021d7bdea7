"""A batch that does not fit into memory, in parts whose gradients add up to those of the whole."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from codewren_distill.text_side import Batch

__all__ = ["in_parts", "is_out_of_memory"]

# What torch's allocators of plain memory say, on Linux and macOS and on Windows, and what a GPU's
# libraries say where they ask for memory behind torch's back.
COMPLAINTS = (
    "can't allocate memory",
    "not enough memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory, of the machine or of its accelerator, did not suffice."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in COMPLAINTS)


def in_parts(batch: Batch, target: Tensor, parts: int) -> Iterator[tuple[Batch, Tensor, float]]:
    """`parts` slices of a batch (fewer if it has fewer rows), each with its share of the rows.

    Tensors of a batch of b pairs have 2b rows, all first texts and then all second ones.
    """
    for rows in torch.arange(len(target), device=target.device).tensor_split(parts):
        if len(rows):
            part = {name: _rows(value, rows, len(target)) for name, value in batch.items()}
            yield part, target[rows], len(rows) / len(target)


def _rows(value: Tensor, rows: Tensor, count: int) -> Tensor:
    sides = value.reshape(-1, count, *value.shape[1:])
    return sides[:, rows.to(value.device)].flatten(0, 1)
