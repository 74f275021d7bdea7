"""What an architecture costs: parameters and FLOPs here, bytes in `codewren.search.size`.

Every formula takes one `Architecture`, or `Shapes` that hold arrays of each gene, and
answers an int or an array: one place for each, whether for one model or ten million.

The student is a RoBERTa without a pooler. A "single" task adds the sequence-classification
head (dense H to H, out H to labels) on the first token. A "pair" task encodes each of two
texts alone, pools by the mean, and scores |u - v| and (u - v)² with a head (dense 2H to H, out
H to labels). An "embedding" task has no head: the mean is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewren_runtime.types import Architecture, TaskKind

__all__ = [
    "HEAD_INPUTS",
    "CostModel",
    "Costs",
    "Genes",
    "IntArray",
    "Shapes",
    "Timing",
    "count_executed",
    "count_flops",
    "count_parameters",
    "is_factorised",
]

# How many vectors of the hidden size the head's dense layer reads; 0: there is no head.
HEAD_INPUTS: Mapping[TaskKind, int] = {"single": 1, "pair": 2, "embedding": 0}

IntArray = NDArray[np.int64]
Count = TypeVar("Count", int, IntArray)
Count_co = TypeVar("Count_co", covariant=True)


class Genes(Protocol[Count_co]):
    """Whatever has the genes of an architecture: `Architecture` (ints) or `Shapes` (arrays)."""

    @property
    def vocab_size(self) -> Count_co: ...  # noqa: D102
    @property
    def hidden_size(self) -> Count_co: ...  # noqa: D102
    @property
    def num_layers(self) -> Count_co: ...  # noqa: D102
    @property
    def num_heads(self) -> Count_co: ...  # noqa: D102
    @property
    def intermediate_size(self) -> Count_co: ...  # noqa: D102
    @property
    def max_length(self) -> Count_co: ...  # noqa: D102
    @property
    def embedding_size(self) -> Count_co: ...  # noqa: D102
    @property
    def shared_layers(self) -> Count_co: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Shapes:
    """Many architectures: one int64 array per gene, of shapes that broadcast together."""

    vocab_size: IntArray
    hidden_size: IntArray
    num_layers: IntArray
    num_heads: IntArray
    intermediate_size: IntArray
    max_length: IntArray
    embedding_size: IntArray
    shared_layers: IntArray

    @classmethod
    def of(cls, architectures: Sequence[Architecture]) -> Shapes:
        """Stack n architectures into arrays (n,)."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.array([getattr(a, name) for a in architectures]) for name in names))


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of many architectures, arrays of one shape: counts, FLOPs, bytes, milliseconds."""

    parameters: IntArray
    flops: IntArray
    executed: IntArray
    size_bytes: IntArray
    latency_ms: NDArray[np.float64] | None = None


CostModel = Callable[[Shapes], Costs]
Timing = Callable[[Shapes, TaskKind], NDArray[np.float64]]
"""Predicts the milliseconds of one prediction, an array of the shapes' common shape."""


def count_parameters(shape: Genes[Count], kind: TaskKind, num_labels: int) -> Count:
    """Parameters of the student module, exactly.

    RoBERTa numbers positions from pad id + 1, hence two rows more than `max_length`.
    """
    h, e, i = shape.hidden_size, shape.embedding_size, shape.intermediate_size
    factorised = is_factorised(shape)
    rows = shape.vocab_size + shape.max_length + 1 + 2 * (1 - factorised)
    embeddings = rows * e + 2 * e + factorised * (e * h + h)
    attention = 4 * (h * h + h) + 2 * h
    feed_forward = 2 * h * i + i + h + 2 * h
    dense = h * h * HEAD_INPUTS[kind] + h * (HEAD_INPUTS[kind] > 0)
    head = dense + num_labels * h + num_labels
    layers = shape.num_layers // shape.shared_layers
    total: Count = embeddings + layers * (attention + feed_forward) + head
    return total


def count_flops(
    shape: Genes[Count], kind: TaskKind, num_labels: int, length: int | None = None
) -> Count:
    """FLOPs of one prediction on `length` tokens (default: `max_length`), batch 1.

    Two per multiply-add of every matrix product, as torch's flop counter sees the student
    with eager attention: look-ups, norms, softmax and biases are not counted. For a pair
    it is the price of a whole prediction: both texts, each of `length` tokens, and the head.
    """
    n = shape.max_length if length is None else length
    h, i = shape.hidden_size, shape.intermediate_size
    projection = is_factorised(shape) * (2 * n * shape.embedding_size * h)
    layer = 2 * n * (4 * h * h + 2 * h * i) + 4 * n * n * h
    texts = 2 if kind == "pair" else 1
    head = 2 * (HEAD_INPUTS[kind] * h * h + num_labels * h)
    flops: Count = texts * (projection + shape.num_layers * layer) + head
    return flops


def count_executed(shape: Genes[Count], kind: TaskKind, num_labels: int) -> Count:
    """FLOPs of one prediction that the exported graph really runs, on `max_length` tokens.

    A "single" model answers from its first token, so the exported graph computes the last
    layer for that token alone, from the keys and values of all: what is left of that layer
    adds nothing to the answer. Models that pool all tokens run all of `count_flops`.
    """
    whole: Count = count_flops(shape, kind, num_labels)
    if kind != "single":
        return whole
    n, h, i = shape.max_length, shape.hidden_size, shape.intermediate_size
    idle: Count = (n - 1) * (2 * (2 * h * h + 2 * h * i) + 4 * n * h)
    executed: Count = whole - idle
    return executed


def is_factorised(shape: Genes[Count]) -> Count:
    """1 where the shape is ALBERT's (`Architecture.family`), 0 where it is RoBERTa's."""
    factorised = shape.embedding_size != shape.hidden_size
    result: Count = (factorised | (shape.shared_layers != 1)) * 1
    return result
