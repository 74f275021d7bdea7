"""Show that an ONNX file keeps all its data inside, without the onnx package.

onnxruntime follows the file names that a tensor may give for its data. A bundle must not
name a path, so this walks the protobuf wire format down to every tensor and refuses those.
"""

from __future__ import annotations

from codewren_runtime.errors import BundleError

__all__ = ["check_self_contained"]

# message -> {field number: message in that field}, for the way from a model to its tensors
CHILDREN: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # fields of Tensor

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
MAX_FIELDS = 1_000_000  # a model of 12 layers has about 10,000


def check_self_contained(name: str, data: bytes) -> None:
    """Raise BundleError if a tensor lies outside the file, or if this is no ONNX model."""
    try:
        _walk(name, data)
    except (IndexError, KeyError) as error:
        raise BundleError(f"{name} is not an ONNX model: export it again") from error


def _walk(name: str, data: bytes) -> None:
    pending = [("Model", 0, len(data))]
    fields = 0
    while pending:
        message, at, end = pending.pop()
        children = CHILDREN[message]
        while at < end:
            fields += 1
            if fields > MAX_FIELDS:
                raise BundleError(f"{name} has too many parts: not a model of this toolchain")
            key, at = _varint(data, at)
            number, begin = key >> 3, at
            at = _skip(data, at, key & 7)
            if at > end:
                raise IndexError(at)
            if message == "Tensor" and number in (EXTERNAL_DATA, DATA_LOCATION):
                raise BundleError(f"{name} keeps data in another file: export it again")
            if number in children:
                if key & 7 != BYTES:
                    raise KeyError(number)
                _, begin = _varint(data, begin)
                pending.append((children[number], begin, at))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError(at)


def _skip(data: bytes, at: int, wire_type: int) -> int:
    if wire_type == VARINT:
        return _varint(data, at)[1]
    if wire_type == BYTES:
        length, at = _varint(data, at)
        return at + length
    return at + {FIXED64: 8, FIXED32: 4}[wire_type]
