"""What an architecture costs: parameters, FLOPs, and bytes on disk as a bundle.

Every formula takes one `Architecture`, or `Shapes` that hold arrays of each gene, and
answers an int or an array: one place for each, whether for one model or ten million.

The student is a RoBERTa without a pooler. A "single" task adds the sequence-classification
head (dense H to H, out H to labels) on the first token. A "pair" task encodes each of two
texts alone, pools by the mean, and scores |u - v| and (u - v)² with a head (dense 2H to H, out
H to labels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from codewren.budget import Bits
from codewren_runtime.types import Architecture, TaskKind

__all__ = [
    "CostModel",
    "Costs",
    "Genes",
    "IntArray",
    "Shapes",
    "codewren_cost",
    "count_flops",
    "count_parameters",
    "predict_bytes",
]

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


@dataclass(frozen=True, slots=True)
class Shapes:
    """Many architectures: one int64 array per gene, of shapes that broadcast together."""

    vocab_size: IntArray
    hidden_size: IntArray
    num_layers: IntArray
    num_heads: IntArray
    intermediate_size: IntArray
    max_length: IntArray

    @classmethod
    def of(cls, architectures: Sequence[Architecture]) -> Shapes:
        """Stack n architectures into arrays (n,)."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.array([getattr(a, name) for a in architectures]) for name in names))


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of many architectures, arrays of one shape: counts, FLOPs, bytes."""

    parameters: IntArray
    flops: IntArray
    size_bytes: IntArray


CostModel = Callable[[Shapes], Costs]


def count_parameters(shape: Genes[Count], kind: TaskKind, num_labels: int) -> Count:
    """Parameters of the student module, exactly.

    Positions are numbered from pad id + 1, hence two rows more than `max_length`.
    """
    h, i = shape.hidden_size, shape.intermediate_size
    embeddings = (shape.vocab_size + shape.max_length + 3) * h + 2 * h
    attention = 4 * (h * h + h) + 2 * h
    feed_forward = 2 * h * i + i + h + 2 * h
    features = 1 if kind == "single" else 2
    head = features * h * h + h + num_labels * h + num_labels
    return embeddings + shape.num_layers * (attention + feed_forward) + head


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
    projections = 2 * n * (4 * h * h + 2 * h * i)
    scores_and_mix = 4 * n * n * h
    texts, features = (1, 1) if kind == "single" else (2, 2)
    head = 2 * (features * h * h + num_labels * h)
    flops: Count = texts * shape.num_layers * (projections + scores_and_mix) + head
    return flops


# What the exporter writes (codewren_export: a graph made for this, weights stored small, entries
# of the bundle uncompressed). Rounded up a little: search must not promise what export refuses.
GRAPH_BYTES = 900
GRAPH_BYTES_PER_LAYER = 640
HEAD_GRAPH_BYTES = 800  # the pair's head is a graph of its own
# Names and the two nodes (one at 16 bits) that turn a matrix stored small back to fp32.
MATRIX_BYTES: dict[Bits, int] = {8: 80, 16: 36, 32: 0}
MIN_STORED_SMALL = 1_024  # a matrix of fewer weights stays fp32
MANIFEST_BYTES = {"single": 1_400, "pair": 1_600}  # with the zip's own headers
LABEL_BYTES = 16  # a label's name in the manifest

# tokenizer.json: the 256 bytes and special tokens, then tokens and merges that grow longer
# with the vocabulary. Upper edge of what real C and Java takes; C at 8,000 tokens takes 7 % less.
ALPHABET = 261
ALPHABET_BYTES = 3_900
TOKEN_BYTES = ((ALPHABET, 246), (1_000, 45), (8_000, 70))  # from this size on, tenths more each


def predict_bytes(shape: Genes[Count], kind: TaskKind, num_labels: int, bits: Bits) -> Count:
    """Bytes of the exported bundle with `bits` per weight: graphs, tokenizer and manifest.

    Above the real one by at most 1 % where the tokenizer is a small part of the whole; its own
    size depends on the language by up to 8 %. More is not always more bytes: a matrix that
    grows past `MIN_STORED_SMALL` weights shrinks on disk.
    """
    h, features = shape.hidden_size, 1 if kind == "single" else 2
    embeddings = (
        _matrix_bytes(shape.vocab_size * h, shape.vocab_size, bits)
        + _matrix_bytes(shape.max_length * h, shape.max_length, bits)
        + 4 * 2 * h  # norm
    )
    head = _matrix_bytes(features * h * h, h, bits) + _matrix_bytes(
        num_labels * h, num_labels, bits
    )
    weights = embeddings + shape.num_layers * _layer_bytes(shape, bits) + head
    graph = GRAPH_BYTES + (HEAD_GRAPH_BYTES if kind == "pair" else 0)
    manifest = MANIFEST_BYTES[kind] + LABEL_BYTES * num_labels
    total: Count = weights + 4 * (h + num_labels) + _tokenizer_bytes(shape) + graph + manifest
    return total


def _layer_bytes(shape: Genes[Count], bits: Bits) -> Count:
    """One layer: matrices small, biases and norms fp32, nodes and names."""
    h, i = shape.hidden_size, shape.intermediate_size
    attention = _matrix_bytes(3 * h * h, 3 * h, bits) + _matrix_bytes(h * h, h, bits)
    feed_forward = _matrix_bytes(h * i, i, bits) + _matrix_bytes(i * h, h, bits)
    biases_and_norms = 4 * ((4 * h + i + h) + 4 * h)
    total: Count = attention + feed_forward + biases_and_norms + GRAPH_BYTES_PER_LAYER
    return total


def _matrix_bytes(weights: Count, scales: Count | int, bits: Bits) -> Count:
    """A matrix as stored: at 8 bits with an fp32 scale per output or per embedded token."""
    per_weight = bits // 8
    small = per_weight * weights + MATRIX_BYTES[bits] + (4 * scales if bits == 8 else 0)
    # A product with a truth value chooses for an int and, element by element, for an array.
    total: Count = 4 * weights + (weights >= MIN_STORED_SMALL) * (small - 4 * weights)
    return total


def _tokenizer_bytes(shape: Genes[Count]) -> Count:
    v = shape.vocab_size
    tenths = sum(((v > start) * (v - start) * more for start, more in TOKEN_BYTES), 0 * v)
    total: Count = ALPHABET_BYTES + tenths // 10
    return total


def codewren_cost(kind: TaskKind, num_labels: int, bits: Bits) -> CostModel:
    """The cost model of this toolchain for one task at one precision."""
    return partial(_costs, kind=kind, num_labels=num_labels, bits=bits)


def _costs(shapes: Shapes, kind: TaskKind, num_labels: int, bits: Bits) -> Costs:
    # A cost that ignores a gene (FLOPs and the vocabulary) still answers for every row.
    parameters, flops, size_bytes = np.broadcast_arrays(
        count_parameters(shapes, kind, num_labels),
        count_flops(shapes, kind, num_labels),
        predict_bytes(shapes, kind, num_labels, bits),
    )
    return Costs(parameters, flops, size_bytes)
