"""Show that an ONNX file is no more than a graph of known operators on its own numbers.

onnxruntime follows the file names that a tensor may give for its data, runs loops and
functions, and looks for operators in libraries. A bundle has none of these. So this walks the
protobuf wire format, without the onnx package, and refuses every message, field, operator and
type of number that export does not write.

Field numbers are those of onnx.proto (github.com/onnx/onnx, IR version 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import prod

from codewren_runtime.errors import BundleError

__all__ = ["OPERATORS", "check_onnx"]

OPERATORS = {
    "": {
        "Abs", "Add", "Cast", "Clip", "Concat", "Constant", "Exp", "Gather", "Gemm",
        "LayerNormalization", "Log", "MatMul", "Mod", "Mul", "Neg", "ReduceMean", "ReduceSum",
        "Relu", "Reshape", "Shape", "Sigmoid", "Slice", "Split", "Sub", "Tanh", "Unique",
        "Unsqueeze",
        # integer arithmetic
        "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QuantizeLinear",
    },
    "com.microsoft": {"FastGelu", "Gelu", "MultiHeadAttention"},
}  # fmt: skip
MAX_NODES = 5_000  # a model of 12 layers has about 300
MAX_FIELDS = 200_000
MAX_RANK = 8

# message -> {field number: what it holds}: another message's name, or SKIP for plain values
SKIP = ""
FIELDS: dict[str, dict[int, str]] = {
    "Model": {
        **dict.fromkeys((1, 2, 3, 4, 5, 6), SKIP),  # versions, producer, domain, doc
        7: "Graph",
        8: "OperatorSet",
    },
    "OperatorSet": {1: "text", 2: SKIP},
    "Graph": {
        1: "Node",
        2: SKIP,
        5: "Tensor",
        10: SKIP,
        **dict.fromkeys((11, 12, 13), SKIP),  # types of inputs, outputs, values
    },
    "Node": {1: SKIP, 2: SKIP, 3: SKIP, 4: "text", 5: "Attribute", 6: SKIP, 7: "text"},
    "Attribute": {**dict.fromkeys((1, 2, 3, 4, 7, 8, 13, 20), SKIP), 5: "Tensor"},
    "Tensor": {1: "dims", 2: "number", 8: SKIP, 9: "raw", 12: SKIP},
}
REFUSED = {
    ("Model", 20): "trains",
    ("Model", 25): "holds functions",
    ("Attribute", 6): "holds a graph within a node",
    ("Attribute", 11): "holds a graph within a node",
    ("Attribute", 21): "holds functions",
    ("Tensor", 13): "keeps data in another file",
    ("Tensor", 14): "keeps data in another file",
}
# Where one of these stands twice, protobuf makes one message of both, which nobody has checked.
SINGLE = {("Model", 7), ("Attribute", 5)}
# float32, uint8, int8, int32, int64, float16, int4 (two a byte)
ITEM_BITS = {1: 32, 2: 8, 3: 8, 6: 32, 7: 64, 10: 16, 22: 4}

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Span = tuple[int, int]


def check_onnx(name: str, data: bytes) -> None:
    """Raise BundleError for anything but a plain graph; `name` is the entry's, for messages."""
    try:
        _Walk(name, data).run()
    except (IndexError, KeyError) as error:
        raise BundleError(f"{name} is not an ONNX model: export it again") from error


class _Walk:
    """One pass over all messages of a file, each field once."""

    def __init__(self, name: str, data: bytes) -> None:
        self.name, self.data = name, data
        self.fields = self.nodes = 0
        self.pending: list[tuple[str, int, int]] = [("Model", 0, len(data))]

    def run(self) -> None:
        """Walk from the model down."""
        if not self.data:
            raise IndexError(0)
        while self.pending:
            message, at, end = self.pending.pop()
            values = self._values(message, at, end)
            if message == "Tensor":
                self._check_tensor(values)
            elif message == "Node":
                self._check_node(values)
            elif message == "OperatorSet" and self._text(values, 1) not in OPERATORS:
                raise self._refusal(f"needs the operators of {self._text(values, 1)!r}")

    def _values(self, message: str, at: int, end: int) -> dict[int, list[Span | int]]:
        """The plain values that the checks need, by field; child messages become pending."""
        known, values = FIELDS[message], dict[int, list[Span | int]]()
        while at < end:
            self.fields += 1
            if self.fields > MAX_FIELDS:
                raise self._refusal("has too many parts")
            key, at = _varint(self.data, at)
            number, wire = key >> 3, key & 7
            if number not in known:
                what = REFUSED.get((message, number), f"has an unknown part in a {message.lower()}")
                raise self._refusal(what)
            value, at = self._value(at, wire)
            if at > end:
                raise IndexError(at)
            kind = known[number]
            if kind == SKIP:
                continue
            if wire not in (VARINT, BYTES):
                raise KeyError(wire)
            if kind in FIELDS:
                if (message, number) in SINGLE and number in values:
                    raise self._refusal("has a part twice that stands once")
                begin, stop = _span(value)
                values.setdefault(number, [])
                self.pending.append((kind, begin, stop))
            else:
                values.setdefault(number, []).append(value)
        return values

    def _value(self, at: int, wire: int) -> tuple[Span | int, int]:
        if wire == VARINT:
            return _varint(self.data, at)
        if wire == BYTES:
            length, at = _varint(self.data, at)
            return (at, at + length), at + length
        return 0, at + {FIXED64: 8, FIXED32: 4}[wire]

    def _check_node(self, values: dict[int, list[Span | int]]) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._refusal("has too many parts")
        operator, domain = self._text(values, 4), self._text(values, 7)
        if operator not in OPERATORS.get(domain, ()):
            full = f"{domain}.{operator}" if domain else operator
            raise self._refusal(f"uses the operator {full!r}")

    def _check_tensor(self, values: dict[int, list[Span | int]]) -> None:
        """The declared shape takes exactly the bytes that are there."""
        dims = list(islice(self._dims(values), MAX_RANK + 1))  # more would take long to multiply
        kinds = values.get(2, [])
        if len(kinds) != 1 or kinds[0] not in ITEM_BITS:
            raise self._refusal("holds numbers of another type")
        spans = [_span(value) for value in values.get(9, [])]
        size = sum(end - begin for begin, end in spans)
        declared = -(-prod(dims) * ITEM_BITS[int(kinds[0])] // 8)
        if len(spans) > 1 or len(dims) > MAX_RANK or declared != size:
            raise self._refusal("declares a tensor of another size than its data")

    def _dims(self, values: dict[int, list[Span | int]]) -> Iterator[int]:
        """A repeated number is written packed or one by one."""
        for value in values.get(1, []):
            if isinstance(value, int):
                yield value
                continue
            at, end = value
            while at < end:
                number, at = _varint(self.data, at)
                yield number

    def _text(self, values: dict[int, list[Span | int]], number: int) -> str:
        spans = values.get(number, [])
        if not spans:
            return ""
        begin, end = _span(spans[-1])  # as protobuf reads it: the last one counts
        return self.data[begin : min(end, begin + 80)].decode("utf-8", "replace")

    def _refusal(self, what: str) -> BundleError:
        return BundleError(f"{self.name} {what}: not a model of this toolchain, export it again")


def _span(value: Span | int) -> Span:
    if isinstance(value, int):
        raise KeyError(value)
    return value


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
