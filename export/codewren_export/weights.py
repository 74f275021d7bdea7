"""Store a graph's weights in 4, 8 or 16 bits; arithmetic stays fp32.

Each large weight becomes `Cast(small) * scale`, which onnxruntime folds back to fp32 once, when
it opens the file. So the file shrinks, every operator works as before whatever the CPU, and the
only error is that of rounding the weight itself, by the rule of `codewren_runtime.rounding`.

An embedding is looked up as it is stored, and only the rows found are widened: so it takes no
more memory than it takes bytes, where the folded table would take four times as much.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codewren_runtime.rounding import Blocks, Half, Layout, Roots, Steps, Stored, store

__all__ = ["store_weights", "token_embeddings"]

INT4_OPSET, INT4_IR = 21, 10  # the first that know tensors of 4 bits

Floats = NDArray[np.float32]


def store_weights(graph: onnx.ModelProto, bits: int) -> onnx.ModelProto:
    """A copy of `graph` whose large weights take 4, 8, 16 or (unchanged) 32 bits each.

    Where 4 were asked for, embeddings take 8, and so does a matrix that cannot be cut in blocks.
    """
    small = onnx.ModelProto()
    small.CopyFrom(graph)
    if bits == 32:
        return small
    layouts = _layouts(small)
    kept: list[TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    widened_later: dict[str, Written] = {}
    for weight in small.graph.initializer:
        layout = layouts.get(weight.name, "columns")
        stored = _stored(weight, bits, layout)
        if stored is None:
            kept.append(weight)
            continue
        parts, widening = _written(weight.name, stored)
        kept += parts
        if layout == "table":
            widened_later[weight.name] = parts, widening
        else:
            nodes += widening
    for node in small.graph.node:
        later = widened_later.get(node.input[0]) if node.op_type == "Gather" else None
        nodes += [node] if later is None else _widened_rows(node, *later)
    del small.graph.initializer[:], small.graph.node[:]
    small.graph.initializer.extend(kept)
    small.graph.node.extend(nodes)
    if any(tensor.data_type == TensorProto.INT4 for tensor in kept):
        _require_int4(small)
    onnx.checker.check_model(small)
    return small


def token_embeddings(model: bytes) -> Floats:
    """The embeddings (tokens, width) that a bundle's graph looks up, whatever their bits."""
    import onnxruntime

    graph = onnx.load_from_string(model)
    gathers = (node for node in graph.graph.node if node.op_type == "Gather")
    first = next(node for node in gathers if node.input[1] == "input_ids")
    tokens = next(w.dims[0] for w in graph.graph.initializer if w.name == first.input[0])
    widened = first.output[0].partition(":")[0]
    _keep_what_makes(graph.graph, widened)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ids = np.arange(tokens, dtype=np.int64)[np.newaxis]
    values: Floats = session.run(None, {"input_ids": ids})[0][0]
    return values


def _keep_what_makes(graph: onnx.GraphProto, wanted: str) -> None:
    """Nothing else is left: what reads positions would fail on more tokens than the window has."""
    needed, kept = {wanted}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    weights = [weight for weight in graph.initializer if weight.name in needed]
    del graph.node[:], graph.initializer[:], graph.output[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
    graph.output.append(helper.make_tensor_value_info(wanted, TensorProto.FLOAT, None))


Written = tuple[list[TensorProto], list[onnx.NodeProto]]


def _stored(weight: TensorProto, bits: int, layout: Layout) -> Stored | None:
    if weight.data_type != TensorProto.FLOAT:
        return None
    return store(numpy_helper.to_array(weight), bits, layout)


def _written(name: str, stored: Stored) -> Written:
    """The tensors of a stored weight, and the nodes that widen it."""
    match stored:
        case Half():
            return _half(name, stored)
        case Steps():
            return _int8(name, stored)
        case Roots():
            return _square_root(name, stored)
        case Blocks():
            return _int4(name, stored)


def _widened_rows(
    gather: onnx.NodeProto, parts: list[TensorProto], nodes: list[onnx.NodeProto]
) -> list[onnx.NodeProto]:
    """The look-up of each stored part, and on what was found the nodes that widen a table.

    Scales of whole columns are the same for every row, and are not looked up.
    """
    ids, answer = gather.input[1], gather.output[0]
    names = {part.name: part.name for part in parts}
    names |= {p.name: f"{answer}:{index}" for index, p in enumerate(parts) if p.dims[0] > 1}
    found = [
        helper.make_node("Gather", [part, ids], [name])
        for part, name in names.items()
        if part != name
    ]
    names |= {node.output[0]: f"{answer}:{index}n" for index, node in enumerate(nodes)}
    names[nodes[-1].output[0]] = answer
    return found + [
        helper.make_node(
            node.op_type,
            [names[name] for name in node.input],
            [names[node.output[0]]],
            **{a.name: helper.get_attribute_value(a) for a in node.attribute},
        )
        for node in nodes
    ]


def _half(name: str, stored: Half) -> Written:
    values = numpy_helper.from_array(stored.values, f"{name}:16")
    return [values], [helper.make_node("Cast", [values.name], [name], to=TensorProto.FLOAT)]


def _int8(name: str, stored: Steps) -> Written:
    steps = numpy_helper.from_array(stored.steps, f"{name}:8")
    scales = numpy_helper.from_array(stored.scales, f"{name}:s")
    wide = f"{name}:w"
    return [steps, scales], [
        helper.make_node("Cast", [steps.name], [wide], to=TensorProto.FLOAT),
        helper.make_node("Mul", [wide, scales.name], [name]),
    ]


def _square_root(name: str, stored: Roots) -> Written:
    steps = numpy_helper.from_array(stored.steps, f"{name}:8")
    squares = numpy_helper.from_array(stored.squares, f"{name}:s")
    wide, absolute, square = f"{name}:w", f"{name}:a", f"{name}:q"
    return [steps, squares], [
        helper.make_node("Cast", [steps.name], [wide], to=TensorProto.FLOAT),
        helper.make_node("Abs", [wide], [absolute]),
        helper.make_node("Mul", [wide, absolute], [square]),
        helper.make_node("Mul", [square, squares.name], [name]),
    ]


def _int4(name: str, stored: Blocks) -> Written:
    blocks, block, outputs = stored.steps.shape
    shape = blocks, block, outputs
    nibbles = _nibbles(stored.steps)
    steps = helper.make_tensor(f"{name}:4", TensorProto.INT4, shape, nibbles, raw=True)
    scales = numpy_helper.from_array(stored.scales, f"{name}:s")
    whole = numpy_helper.from_array(np.array([blocks * block, outputs], np.int64), f"{name}:d")
    wide, factor, product = f"{name}:w", f"{name}:f", f"{name}:p"
    return [steps, scales, whole], [
        helper.make_node("Cast", [steps.name], [wide], to=TensorProto.FLOAT),
        helper.make_node("Cast", [scales.name], [factor], to=TensorProto.FLOAT),
        helper.make_node("Mul", [wide, factor], [product]),
        helper.make_node("Reshape", [product, whole.name], [name]),
    ]


def _nibbles(steps: NDArray[np.int8]) -> bytes:
    """Two to a byte, the first in the lower half, as ONNX packs them."""
    flat = np.resize(steps.view(np.uint8) & 15, steps.size + steps.size % 2)
    return bytes((flat[::2] | flat[1::2] << 4).astype(np.uint8))


def _require_int4(graph: onnx.ModelProto) -> None:
    graph.ir_version = max(graph.ir_version, INT4_IR)
    for opset in graph.opset_import:
        if not opset.domain:
            opset.version = max(opset.version, INT4_OPSET)


def _layouts(graph: onnx.ModelProto) -> dict[str, Layout]:
    """Of the weights whose rows belong together; all others are matrices of columns."""
    rows: dict[str, Layout] = dict.fromkeys(_stored_by_row(graph), "rows")
    return rows | dict.fromkeys(_looked_up(graph), "table")


def _looked_up(graph: onnx.ModelProto) -> set[str]:
    """Names of the tables whose rows are looked up, and which nothing else reads."""
    plain = {
        node.input[0]
        for node in graph.graph.node
        if node.op_type == "Gather" and all(a.name != "axis" or a.i == 0 for a in node.attribute)
    }
    others = {
        name
        for node in graph.graph.node
        for name in (node.input[1:] if node.op_type == "Gather" else node.input)
    }
    return plain - others


def _stored_by_row(graph: onnx.ModelProto) -> set[str]:
    """Names of the matrices whose rows belong together: embeddings, and transposed weights."""
    names = set()
    for node in graph.graph.node:
        if node.op_type in {"Gather", "Slice"}:
            names.add(node.input[0])
        elif node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute):
            names.add(node.input[1])
    return names
