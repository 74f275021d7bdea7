"""Store a graph's weights in 4, 8 or 16 bits; arithmetic stays fp32.

Each large weight becomes `Cast(small) * scale`, which onnxruntime folds back to fp32 once, when
it opens the file. So the file shrinks, every operator works as before whatever the CPU, and the
only error is that of rounding the weight itself. int8 has one scale per output of a matrix and
per row of an embedding; int4 one per block of at most `BLOCK` weights that are summed together,
since its 16 steps must not stretch over a whole column. Embeddings take 8 bits there too: nothing
averages their error out (in 4 bits they tripled that of the logits of a published student).
Tables of rows too narrow for scales of their own hold the root of each value in 8 bits.

An embedding is looked up as it is stored, and only the rows found are widened: so it takes no
more memory than it takes bytes, where the folded table would take four times as much.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

__all__ = ["store_weights", "token_embeddings"]

MIN_WEIGHTS = 1_024  # below this, the nodes and the scales cost what rounding would save
MIN_ROW = 8  # a scale takes four bytes: rows narrower than this share those of their columns

INT8_MAX = 127
INT4_MIN, INT4_MAX = -8, 7
BLOCK, MIN_BLOCK = 32, 8

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
    rows = _stored_by_row(small)
    tables = _looked_up(small)
    kept: list[TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    widened_later: dict[str, Stored] = {}
    for weight in small.graph.initializer:
        if not _is_large_matrix(weight):
            kept.append(weight)
            continue
        values = numpy_helper.to_array(weight)
        by_row = weight.name in rows and values.shape[-1] >= MIN_ROW
        looked_up = weight.name in tables
        if looked_up and not by_row and bits < 16:
            parts, widening = _square_root(weight.name, values)
        else:
            parts, widening = _stored(weight.name, values, bits, by_row=by_row)
        kept += parts
        if looked_up:
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


Stored = tuple[list[TensorProto], list[onnx.NodeProto]]


def _stored(name: str, values: Floats, bits: int, *, by_row: bool) -> Stored:
    if bits == 16:
        return _half(name, values)
    if bits == 4 and not by_row and values.ndim == 2 and (block := _block(len(values))):
        return _int4(name, values, block)
    return _int8(name, values, by_row=by_row)


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


def _half(name: str, values: Floats) -> Stored:
    stored = numpy_helper.from_array(_to_half(values), f"{name}:16")
    return [stored], [helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT)]


def _to_half(values: Floats) -> NDArray[np.float16]:
    largest = np.finfo(np.float16).max
    return np.clip(values, -largest, largest).astype(np.float16)


def _int8(name: str, values: Floats, *, by_row: bool) -> Stored:
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


def _square_root(name: str, values: Floats) -> Stored:
    """8 bits of each value's root, a scale per column: fine steps where most values are.

    For tables of linear weights, a few of which are a hundred times the others.
    """
    roots = np.sign(values) * np.sqrt(np.abs(values))
    (rounded, scales), _ = _int8(name, roots.astype(np.float32), by_row=False)
    squared = numpy_helper.from_array(numpy_helper.to_array(scales) ** 2, scales.name)
    wide, absolute, square = f"{name}:w", f"{name}:a", f"{name}:q"
    return [rounded, squared], [
        helper.make_node("Cast", [rounded.name], [wide], to=TensorProto.FLOAT),
        helper.make_node("Abs", [wide], [absolute]),
        helper.make_node("Mul", [wide, absolute], [square]),
        helper.make_node("Mul", [square, squared.name], [name]),
    ]


def _int4(name: str, values: Floats, block: int) -> Stored:
    """A matrix (in, out) in blocks of inputs; each block's largest value is stored exactly."""
    shape = (len(values) // block, block, values.shape[1])
    blocks = values.reshape(shape)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(1, keepdims=True), 1)
    scale = _to_half(largest / np.float32(INT4_MIN))
    scale[scale == 0] = 1
    steps = np.rint(blocks / scale.astype(np.float32)).clip(INT4_MIN, INT4_MAX).astype(np.int8)
    stored = helper.make_tensor(f"{name}:4", TensorProto.INT4, shape, _nibbles(steps), raw=True)
    scales = numpy_helper.from_array(scale, f"{name}:s")
    whole = numpy_helper.from_array(np.array(values.shape, dtype=np.int64), f"{name}:d")
    wide, factor, product = f"{name}:w", f"{name}:f", f"{name}:p"
    return [stored, scales, whole], [
        helper.make_node("Cast", [stored.name], [wide], to=TensorProto.FLOAT),
        helper.make_node("Cast", [scales.name], [factor], to=TensorProto.FLOAT),
        helper.make_node("Mul", [wide, factor], [product]),
        helper.make_node("Reshape", [product, whole.name], [name]),
    ]


def _nibbles(steps: NDArray[np.int8]) -> bytes:
    """Two to a byte, the first in the lower half, as ONNX packs them."""
    flat = np.resize(steps.view(np.uint8) & 15, steps.size + steps.size % 2)
    return bytes((flat[::2] | flat[1::2] << 4).astype(np.uint8))


def _block(summed: int) -> int:
    """The largest block that divides this many weights; 0 if only tiny ones do."""
    sizes = (size for size in range(min(BLOCK, summed), MIN_BLOCK - 1, -1) if summed % size == 0)
    return next(sizes, 0)


def _require_int4(graph: onnx.ModelProto) -> None:
    graph.ir_version = max(graph.ir_version, INT4_IR)
    for opset in graph.opset_import:
        if not opset.domain:
            opset.version = max(opset.version, INT4_OPSET)


def _is_large_matrix(weight: TensorProto) -> bool:
    size = int(np.prod(weight.dims))
    return weight.data_type == TensorProto.FLOAT and len(weight.dims) > 1 and size >= MIN_WEIGHTS


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
