"""Store a graph's weights in 8 or 16 bits; arithmetic stays fp32.

Each large weight becomes `Cast(small) * scale`, which onnxruntime folds back to fp32 once,
when it opens the file. So the file shrinks fourfold, every operator (fused or not, whatever
the CPU) works as before, and the only error is that of rounding the weight itself: int8 has
one scale per output of a matrix and per row of an embedding. int8 arithmetic would round the
activations too (on a CPU with VNNI a third faster at hidden size 192, no gain at 96, two to
seven times the error), and differently from one CPU to the next.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["store_weights"]

MIN_WEIGHTS = 1_024  # below this, the two nodes and the scales cost what rounding would save

INT8_MAX = 127


def store_weights(graph: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """A copy of `graph` whose large weights take 8, 16 or (unchanged) 32 bits each."""
    small = onnx.ModelProto()
    small.CopyFrom(graph)
    if bits == 32:
        return small
    rows = _stored_by_row(small)
    kept, added = [], []
    for weight in small.graph.initializer:
        if not _is_large_matrix(weight):
            kept.append(weight)
            continue
        values = numpy_helper.to_array(weight)
        if bits == 16:
            parts, nodes = _half(weight.name, values)
        else:
            parts, nodes = _int8(weight.name, values, by_row=weight.name in rows)
        kept += parts
        added += nodes
    nodes = [*added, *small.graph.node]
    del small.graph.initializer[:], small.graph.node[:]
    small.graph.initializer.extend(kept)
    small.graph.node.extend(nodes)
    onnx.checker.check_model(small)
    return small


Stored = tuple[list[TensorProto], list[onnx.NodeProto]]


def _half(name: str, values: NDArray[np.float32]) -> Stored:
    largest = np.finfo(np.float16).max
    half = np.clip(values, -largest, largest).astype(np.float16)
    stored = numpy_helper.from_array(half, f"{name}:16")
    return [stored], [helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT)]


def _int8(name: str, values: NDArray[np.float32], *, by_row: bool) -> Stored:
    axis = -1 if by_row else tuple(range(values.ndim - 1))
    scale = np.abs(values).max(axis=axis, keepdims=True) / np.float32(INT8_MAX)
    scale = np.where(scale == 0, np.float32(1), scale).astype(np.float32)
    rounded = np.rint(values / scale).astype(np.int8)
    stored = numpy_helper.from_array(rounded, f"{name}:8")
    scales = numpy_helper.from_array(scale, f"{name}:s")
    wide = f"{name}:w"
    return [stored, scales], [
        helper.make_node("Cast", [stored.name], [wide], to=TensorProto.FLOAT),
        helper.make_node("Mul", [wide, scales.name], [name]),
    ]


def _is_large_matrix(weight: TensorProto) -> bool:
    size = int(np.prod(weight.dims))
    return weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1 and size >= MIN_WEIGHTS


def _stored_by_row(graph: onnx.ModelProto) -> set[str]:
    """Names of the matrices whose rows belong together: embeddings, and transposed weights."""
    names = set()
    for node in graph.graph.node:
        if node.op_type == "Gather":
            names.add(node.input[0])
        elif node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute):
            names.add(node.input[1])
    return names
