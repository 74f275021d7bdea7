"""What an architecture takes on disk as a bundle, and all its costs together."""

from __future__ import annotations

from functools import partial

import numpy as np

from codewren.budget import Bits
from codewren.search.cost import (
    HEAD_INPUTS,
    CostModel,
    Costs,
    Count,
    Genes,
    Shapes,
    Timing,
    count_executed,
    count_flops,
    count_parameters,
    is_factorised,
)
from codewren_runtime.types import TaskKind

__all__ = ["codewren_cost", "predict_bytes"]

# What the exporter writes (codewren_export: a graph made for this, weights stored small, entries
# of the bundle uncompressed). Rounded up a little: search must not promise what export refuses.
GRAPH_BYTES = 1_050
GRAPH_BYTES_PER_LAYER = 420  # nodes: every layer has its own
LAYER_WEIGHTS_BYTES = 176  # names and shapes of tensors: layers that share them have them once
HEAD_GRAPH_BYTES = 800  # the pair's head is a graph of its own
# Names and the two nodes (one at 16 bits) that turn a matrix stored small back to fp32.
MATRIX_BYTES: dict[Bits, int] = {8: 80, 16: 36, 32: 0}
MIN_STORED_SMALL = 1_024  # a matrix of fewer weights stays fp32
MANIFEST_BYTES = {"single": 1_400, "pair": 1_600, "embedding": 1_400}  # with the zip's own headers
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
    h, e, inputs = shape.hidden_size, shape.embedding_size, HEAD_INPUTS[kind]
    embeddings = (
        _matrix_bytes(shape.vocab_size * e, shape.vocab_size, bits)
        + _matrix_bytes(shape.max_length * e, e, bits)
        + 4 * 2 * e  # norm
        + is_factorised(shape) * (_matrix_bytes(e * h, h, bits) + 4 * h)
    )
    head = _matrix_bytes(inputs * h * h, h, bits) + _matrix_bytes(num_labels * h, num_labels, bits)
    biases = 4 * (h * (inputs > 0) + num_labels)
    groups = shape.num_layers // shape.shared_layers
    weights = embeddings + groups * _layer_bytes(shape, bits) + head
    graph = (
        GRAPH_BYTES
        + shape.num_layers * GRAPH_BYTES_PER_LAYER
        + (HEAD_GRAPH_BYTES if kind == "pair" else 0)
    )
    manifest = MANIFEST_BYTES[kind] + LABEL_BYTES * num_labels
    total: Count = weights + biases + _tokenizer_bytes(shape) + graph + manifest
    return total


def _layer_bytes(shape: Genes[Count], bits: Bits) -> Count:
    """One layer: matrices small, biases and norms fp32, nodes and names."""
    h, i = shape.hidden_size, shape.intermediate_size
    attention = _matrix_bytes(3 * h * h, 3 * h, bits) + _matrix_bytes(h * h, h, bits)
    feed_forward = _matrix_bytes(h * i, i, bits) + _matrix_bytes(i * h, h, bits)
    biases_and_norms = 4 * ((4 * h + i + h) + 4 * h)
    total: Count = attention + feed_forward + biases_and_norms + LAYER_WEIGHTS_BYTES
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


def codewren_cost(
    kind: TaskKind, num_labels: int, bits: Bits, timing: Timing | None = None
) -> CostModel:
    """The cost model of this toolchain for one task at one precision."""
    return partial(_costs, kind=kind, num_labels=num_labels, bits=bits, timing=timing)


def _costs(
    shapes: Shapes, kind: TaskKind, num_labels: int, bits: Bits, timing: Timing | None
) -> Costs:
    # A cost that ignores a gene (FLOPs and the vocabulary) still answers for every row.
    parameters, flops, executed, size_bytes = np.broadcast_arrays(
        count_parameters(shapes, kind, num_labels),
        count_flops(shapes, kind, num_labels),
        count_executed(shapes, kind, num_labels),
        predict_bytes(shapes, kind, num_labels, bits),
    )
    latency = None if timing is None else np.broadcast_to(timing(shapes, kind), flops.shape)
    return Costs(parameters, flops, executed, size_bytes, latency)
