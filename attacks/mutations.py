"""Seeded mutations: of bytes, of JSON, of graphs. All that is random comes from one `Random`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

import onnx
from onnx import TensorProto, helper

__all__ = ["mutated_bytes", "mutated_graph", "mutated_json", "mutated_text", "odd_text", "written"]

ODD_NUMBERS = (0, 1, -1, 7, 127, 128, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63,
               2**70, 0.5, -0.0, 1e308, float("nan"), float("inf"))  # fmt: skip
ODD_TEXTS = (
    "", " ", "\0", "a\nb", "\ud800", "\u202e", "\ufeff", "..", "../../etc/passwd", "/", "C:\\x",
    "é" * 300, "a" * 100_000, "<s>", "\U0010ffff", "%s%n", "{}", "NaN",
)  # fmt: skip
OPERATORS = ("Loop", "If", "ConstantOfShape", "Gather", "Reshape", "Split", "Slice", "Concat",
             "MatMul", "Gemm", "LayerNormalization", "Cast", "Shape", "Unsqueeze", "ReduceMean",
             "DequantizeLinear", "MatMulInteger", "QuantizeLinear", "Custom")  # fmt: skip


DEEP = "a value of many brackets"


def written(value: Any) -> bytes:
    """JSON in UTF-8, with what Python itself could not nest so deep."""
    return json.dumps(value).replace(f'"{DEEP}"', "[" * 5_000 + "]" * 5_000).encode()


def mutated_bytes(rng: Random, data: bytes) -> bytes:
    """One to four changes: bits, cuts, copies, insertions, lengths that lie."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(changed) + 1)
        end = min(len(changed), at + rng.choice((1, 2, 4, 16, 300, 5_000)))
        match rng.randrange(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at:]
            case 2:
                del changed[at:end]
            case 3:
                changed[at:at] = changed[at:end]
            case 4:
                changed[at:at] = rng.randbytes(rng.choice((1, 3, 50)))
            case 5:
                width = rng.choice((1, 2, 4, 8))
                number = int(rng.choice(ODD_NUMBERS[:13])) % 256**width
                changed[at : at + width] = number.to_bytes(width, "little")
            case _:
                other = rng.randrange(len(changed) + 1)
                changed[at:end] = changed[other : other + end - at]
    return bytes(changed)


def odd_text(rng: Random) -> str:
    """A text that nobody writes."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.choice(ODD_TEXTS)
    if kind == 1:
        return rng.choice(("{", "(", "a", " ", "\t", "\n", "é", "\0", "\u202e")) * rng.randrange(
            3_000
        )
    if kind == 2:
        return rng.randbytes(rng.randrange(400)).decode("latin-1")
    if kind == 3:
        return "".join(map(chr, (rng.randrange(0x110000) for _ in range(rng.randrange(200)))))
    if kind == 4:
        return rng.randbytes(rng.randrange(400)).decode("utf-8", "surrogateescape")
    return " ".join(rng.choice(("int", "x", "=", "{", "}", "</s>", "<pad>")) for _ in range(300))


def mutated_json(rng: Random, value: Any) -> Any:
    """A copy with one to three places changed, dropped, renamed or repeated."""
    changed = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(changed))
        if not places:
            return _odd_value(rng)
        # The shallow places are few: without this they would hardly ever be met.
        depth = rng.choice(sorted({depth for depth, _, _ in places}))
        _, holder, key = rng.choice([place for place in places if place[0] == depth])
        match rng.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(ODD_TEXTS)] = holder.pop(key)
            case 2:
                _, other, name = rng.choice(places)
                taken = copy.deepcopy(other[name]) if _still_there(other, name) else None
                holder[key] = taken
            case _:
                holder[key] = _odd_value(rng)
    return changed


def _places(value: Any, depth: int = 0) -> Any:
    items: Any = ()
    if isinstance(value, dict):
        items = list(value.items())[:200]
    elif isinstance(value, list):
        items = list(enumerate(value))[:200]
    for key, child in items:
        yield depth, value, key
        yield from _places(child, depth + 1)


def _still_there(holder: Any, key: Any) -> bool:
    return key in holder if isinstance(holder, dict) else key < len(holder)


def _odd_value(rng: Random) -> Any:
    return rng.choice(
        (None, True, False, [], {}, DEEP, {"a": {"b": []}}, rng.choice(ODD_NUMBERS),
         rng.choice(ODD_NUMBERS), rng.choice(ODD_TEXTS), rng.choice(ODD_TEXTS))
    )  # fmt: skip


def mutated_text(rng: Random, text: str, words: tuple[str, ...]) -> str:
    """A text of `key = value` lines with some lines changed."""
    lines = text.split("\n")
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        match rng.randrange(5):
            case 0:
                del lines[at]
                lines = lines or [""]
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                lines[at] = f"{rng.choice(words)} = {key.strip() or 1}"
            case _ if equals:
                value = _odd_value(rng)
                shown = written(value).decode() if value is not None else "1979-05-27"
                lines[at] = f"{key}= {shown.replace('NaN', 'nan').replace('Infinity', 'inf')}"
            case _:
                lines[at] = odd_text(rng)
    return "\n".join(lines)


def mutated_graph(rng: Random, data: bytes) -> bytes:
    """A graph that protobuf reads, with one to three of its parts changed."""
    model = onnx.load_from_string(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(GRAPH_CHANGES)(rng, model)
    return bytes(model.SerializeToString())


def _tensor(rng: Random, model: onnx.ModelProto) -> TensorProto:
    tensors = list(model.graph.initializer) or [model.graph.initializer.add()]
    return rng.choice(tensors)


def _node(rng: Random, model: onnx.ModelProto) -> onnx.NodeProto:
    nodes = list(model.graph.node) or [model.graph.node.add()]
    return rng.choice(nodes)


def _dims(rng: Random, model: onnx.ModelProto) -> None:
    tensor = _tensor(rng, model)
    if rng.random() < 0.5:  # the same number of items otherwise shaped: the size still agrees
        size = 1
        for dim in tensor.dims:
            size *= dim
        tensor.dims[:] = rng.choice(([size], [1, size], [size, 1], [1] * 8 + [size], [-1, -size]))
    else:
        tensor.dims[:] = [int(rng.choice((0, 1, -1, 3, 2**31, 2**62, 1000))) for _ in range(3)]


def _kind(rng: Random, model: onnx.ModelProto) -> None:
    _tensor(rng, model).data_type = rng.randrange(24)


def _raw(rng: Random, model: onnx.ModelProto) -> None:
    tensor = _tensor(rng, model)
    size = len(tensor.raw_data)
    how = (bytes(size), b"\xff" * size, rng.randbytes(size), mutated_bytes(rng, tensor.raw_data))
    tensor.raw_data = rng.choice(how)


def _external(rng: Random, model: onnx.ModelProto) -> None:
    tensor = _tensor(rng, model)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(
        key="location", value=rng.choice(("/etc/passwd", "../x", "model.onnx"))
    )


def _operator(rng: Random, model: onnx.ModelProto) -> None:
    node = _node(rng, model)
    node.op_type = rng.choice(OPERATORS)
    node.domain = rng.choice(("", "", "", "com.microsoft", "ai.onnx.ml", "evil"))


def _wiring(rng: Random, model: onnx.ModelProto) -> None:
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    names += [tensor.name for tensor in model.graph.initializer] + ["input_ids", "logits", "", "x"]
    node = _node(rng, model)
    side = rng.choice((node.input, node.output))
    side[:] = [rng.choice(names) if rng.random() < 0.5 else name for name in side]
    if rng.random() < 0.3:
        side.append(rng.choice(names))


def _attribute(rng: Random, model: onnx.ModelProto) -> None:
    node = _node(rng, model)
    value: Any = rng.choice((0, -1, 2**31, 2**62, 1e30, "x", [1, 2], [-1] * 9, [2**40], [0.5]))
    names = [attribute.name for attribute in node.attribute]
    name = rng.choice([*names, "axis", "axes", "perm", "num_heads", "to", "epsilon"])
    for attribute in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute(name, value))


def _nodes(rng: Random, model: onnx.ModelProto) -> None:
    nodes = list(model.graph.node)
    rng.choice((rng.shuffle, lambda n: n.pop(), lambda n: n.extend(nodes), lambda n: n.reverse()))(
        nodes
    )
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _versions(rng: Random, model: onnx.ModelProto) -> None:
    number = rng.choice((0, -1, 1, 7, 99, 2**40))
    if rng.random() < 0.5 or not model.opset_import:
        model.ir_version = number
    else:
        model.opset_import[0].version = number


def _ends(rng: Random, model: onnx.ModelProto) -> None:
    value = rng.choice([*model.graph.input, *model.graph.output])
    value.type.tensor_type.elem_type = rng.randrange(20)
    for dim in value.type.tensor_type.shape.dim:
        dim.dim_value = rng.choice((0, 1, -1, 2**40))


GRAPH_CHANGES: tuple[Callable[[Random, onnx.ModelProto], None], ...] = (
    _dims, _kind, _raw, _external, _operator, _wiring, _wiring, _attribute, _attribute, _nodes,
    _versions, _ends,
)  # fmt: skip
