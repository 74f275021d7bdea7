"""Graphs that would read files, run code, loop, or ask for all memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from packing import Parts, Write, edit_graph, rehash, zip_of

__all__ = ["GRAPH_CASES"]

WIDE = 30_000  # squared, in fp32: 3.6 GB


def _replaced(data: bytes) -> Write:
    def write(parts: Parts, folder: Path) -> Path:
        parts["model.onnx"] = data
        return zip_of(rehash(parts).items(), folder)

    return write


def _node(operator: str, *, domain: str = "", **attributes: object) -> Write:
    """One more node, which nothing needs."""
    return edit_graph(
        lambda model: model.graph.node.append(
            helper.make_node(operator, ["input_ids"], ["more"], domain=domain, **attributes)
        )
    )


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")


def _subgraph(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.append(helper.make_node("Relu", ["input_ids"], ["more"], then_branch=body))


def _function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Identity", ["a"], ["b"])
    model.functions.append(
        helper.make_function("local", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    )


def _sparse(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    indices = numpy_helper.from_array(np.zeros(1, np.int64), "indices")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, indices, [10**6, 10**6])
    )


def _huge_dims(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [2**40, 2**20]


def _field(number: int, data: bytes) -> bytes:
    """A field of protobuf that holds bytes."""
    length, size = bytearray(), len(data)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + data


# Nine bytes each, packed: to multiply them would take hours.
MANY_DIMS = _field(7, _field(5, _field(1, (b"\xff" * 8 + b"\x7f") * 1_000_000) + b"\x10\x01"))


def _two_graphs(parts: Parts, folder: Path) -> Path:
    """Protobuf makes one graph of both, which nobody has looked at as a whole."""
    more = onnx.ModelProto(graph=onnx.GraphProto(name="more"))
    parts["model.onnx"] += more.SerializeToString()
    return zip_of(rehash(parts).items(), folder)


def _negative_dims(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [-1, -(2**62)]


def _strings(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(helper.make_tensor("s", TensorProto.STRING, [1], [b"x"]))


def _many_nodes(model: onnx.ModelProto) -> None:
    relu = helper.make_node("Relu", ["x"], ["y"])
    model.graph.node.extend([relu] * 20_000)


def _not_finite(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.raw_data = np.full(len(tensor.raw_data) // 4, np.nan, np.float32).tobytes()


def _other_input(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        node.input[:] = ["tokens" if name == "input_ids" else name for name in node.input]
    model.graph.input[0].name = "tokens"


def _bomb(build: Callable[[], list[onnx.NodeProto]]) -> Write:
    """A sound graph of a few kilobytes that asks for gigabytes."""
    weights = {
        "column": np.ones((WIDE, 1), np.float32),
        "row": np.ones((1, WIDE), np.float32),
        "table": np.ones((200_000, 1), np.float32),
    }
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "length"])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", "labels"])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
        *build(),
        helper.make_node("ReduceMean", ["huge"], ["logits"], keepdims=1),
    ]
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "bomb", [ids], [logits], tensors)
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return _replaced(model.SerializeToString())


def _of_constants() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Gemm", ["column", "row"], ["square"]),
        helper.make_node("Add", ["square", "mean"], ["huge"]),
    ]


def _of_the_input() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Gemm", ["mean", "row"], ["wide"]),
        helper.make_node("Gemm", ["wide", "wide"], ["huge"], transA=1),
    ]


GRAPH_CASES: dict[str, tuple[str, Write]] = {
    "graph of random bytes": ("model.onnx", _replaced(bytes(range(256)) * 50)),
    "empty graph": ("is not an ONNX model", _replaced(b"")),
    "onnxruntime's own format": ("model.onnx", _replaced(b"\x20\0\0\0ORTM" + bytes(200))),
    "data in another file": ("keeps data in another file", edit_graph(_external)),
    "operators of a library": ("uses the operator", _node("Shell", domain="evil.corp")),
    "set of operators of a library": (
        "needs the operators of 'evil.corp'",
        edit_graph(lambda model: model.opset_import.append(helper.make_opsetid("evil.corp", 1))),
    ),
    "loop": ("uses the operator 'Loop'", _node("Loop")),
    "operator that asks for memory": (
        "uses the operator 'ConstantOfShape'",
        _node("ConstantOfShape"),
    ),
    "graph in a node": ("holds a graph within a node", edit_graph(_subgraph)),
    "function": ("holds functions", edit_graph(_function)),
    "sparse tensor": ("unknown part in a graph", edit_graph(_sparse)),
    "tensor of a million dimensions": ("another size than its data", _replaced(MANY_DIMS)),
    "graph in two halves": ("has a part twice", _two_graphs),
    "huge tensor declared": ("another size than its data", edit_graph(_huge_dims)),
    "negative size declared": ("another size than its data", edit_graph(_negative_dims)),
    "strings": ("unknown part in a tensor", edit_graph(_strings)),
    "thousands of nodes": ("too many parts", edit_graph(_many_nodes)),
    "weights that are no numbers": ("is not finite", edit_graph(_not_finite)),
    "other inputs": ("must turn input_ids into", edit_graph(_other_input)),
    "memory bomb of constants": ("Arena", _bomb(_of_constants)),
    "memory bomb of the input": ("Arena", _bomb(_of_the_input)),
}
