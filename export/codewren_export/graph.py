"""Write an encoder's ONNX graph as onnxruntime runs it fastest at these sizes, and smallest.

Measured on one core (benchmarks/graph.py has the figures):

- `MultiHeadAttention` without a mask runs blockwise over keys; it takes no padding, hence the
  one input: rows of one length.
- All else is matrices of (tokens, width): `Gemm` with its bias, queries, keys and values in one.
- `Add` and `LayerNormalization` apart beat `SkipLayerNormalization`.
- Where the first token alone is read, the last layer computes that token alone, from the keys and
  values of all.

Names are short, and equal tensors are stored once: both count in a file of this size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codewren_export.encoder import Array, Encoder, Head, Layer, Linear, Ngrams, Norm

__all__ = ["text_graph"]

OPSET = 18  # read by every onnxruntime since 1.14
IR_VERSION = 8
CONTRIB = "com.microsoft"

ACTIVATIONS = {"gelu": ("Gelu", CONTRIB), "gelu_tanh": ("FastGelu", CONTRIB), "relu": ("Relu", "")}
DIGITS = "abcdefghijklmnopqrstuvwxyz"


def text_graph(encoder: Encoder) -> onnx.ModelProto:
    """`input_ids` int64 (n, length), without padding, to `logits` (n, labels) in fp32.

    An encoder without a head answers `embedding` (n, H).
    """
    graph = _Graph()
    hidden = _embedded(graph, encoder)
    *first, last = encoder.layers
    shape = graph.node("Concat", [graph.node("Shape", ["input_ids"]), graph.constant([-1])], axis=0)
    flat = graph.constant([-1, encoder.hidden_size])
    writer = _Layers(graph, shape, flat)
    for layer in first:
        hidden = writer.whole(hidden, layer)
    embedding = "" if encoder.head or encoder.ngrams else "embedding"
    if encoder.pooling == "mean":
        hidden = graph.node("Reshape", [writer.whole(hidden, last), shape])
        pooled = graph.node("ReduceMean", [hidden, graph.constant([1])], embedding, keepdims=0)
    else:
        pooled = writer.first_token(hidden, last, embedding)
    if encoder.head is None:
        if encoder.ngrams is not None:
            _with_traits(graph, pooled, encoder.ngrams, encoder.hidden_size)
        return graph.model("embedding", encoder.hidden_size)
    if encoder.ngrams is None:
        _head(graph, pooled, encoder.head, "logits")
    else:
        parts = [_head(graph, pooled, encoder.head), _ngram_logits(graph, encoder.ngrams)]
        graph.node("Add", parts, "logits")
    return graph.model("logits", len(encoder.head.out.bias))


def _embedded(graph: _Graph, encoder: Encoder) -> str:
    """Tokens as rows (n * length, H), normalised."""
    words = graph.node("Gather", [graph.weight(encoder.words), "input_ids"])
    length = graph.node("Shape", ["input_ids"], start=1)
    table = graph.weight(encoder.positions)
    positions = graph.node("Slice", [table, graph.constant([0]), length])
    hidden = graph.norm(graph.node("Add", [words, positions]), encoder.norm)
    width = encoder.words.shape[1]
    hidden = graph.node("Reshape", [hidden, graph.constant([-1, width])])
    return hidden if encoder.projection is None else graph.linear(hidden, encoder.projection)


def _head(graph: _Graph, pooled: str, head: Head, output: str = "") -> str:
    return graph.linear(graph.node("Tanh", [graph.linear(pooled, head.dense)]), head.out, output)


def _ngram_logits(graph: _Graph, ngrams: Ngrams) -> str:
    """Logits (n, labels) of the n-grams of `input_ids`."""
    labels = len(ngrams.bias) + 1
    onto = np.eye(labels - 1, labels, 1, dtype=np.float32)  # the first label's logit is 0
    bias = np.concatenate(([0], ngrams.bias)).astype(np.float32)
    return graph.linear(_pooled_ngrams(graph, ngrams), Linear(onto, bias))


def _with_traits(graph: _Graph, pooled: str, ngrams: Ngrams, width: int) -> None:
    """The `embedding` (n, width): its last numbers are the n-grams' scores."""
    scores = graph.node("Add", [_pooled_ngrams(graph, ngrams), graph.weight(ngrams.bias)])
    bounds = [graph.constant([value]) for value in (0, width - len(ngrams.bias), 1)]
    graph.node("Concat", [graph.node("Slice", [pooled, *bounds]), scores], "embedding", axis=1)


def _pooled_ngrams(graph: _Graph, ngrams: Ngrams) -> str:
    """The weights (n, columns) of a text's n-grams as one; of one text alone by their presence."""
    hashes = _hashes(graph, ngrams)
    if not ngrams.presence:
        weights = graph.node("Gather", [graph.weight(ngrams.table), hashes])
        return graph.node("ReduceMean", [weights, graph.constant([1])], keepdims=0)
    distinct = graph.node("Unique", [hashes])
    weights = graph.node("Gather", [graph.weight(ngrams.table), distinct])
    total = graph.node("ReduceSum", [weights, graph.constant([0])])
    count = graph.node("Cast", [graph.node("Shape", [distinct])], to=TensorProto.FLOAT)
    half = graph.weight(np.array(-0.5, dtype=np.float32))
    root = graph.node("Exp", [graph.node("Mul", [graph.node("Log", [count]), half])])
    return graph.node("Mul", [total, root])


def _hashes(graph: _Graph, ngrams: Ngrams) -> str:
    """The buckets (n, 2 * length - 3) of the n-grams of `input_ids`."""
    buckets = len(ngrams.table)
    ends = graph.constant([1]), graph.constant([np.iinfo(np.int64).max]), graph.constant([-1])
    step, all_of_it, all_but_last = ends

    def followed(value: str, by: str) -> str:
        """Hashes of what `value` stands for, each with the token of `by` after it."""
        first = graph.node("Slice", [value, graph.constant([0]), all_but_last, step])
        product = graph.node("Mul", [first, graph.constant(ngrams.multiplier)])
        return graph.node("Mod", [graph.node("Add", [product, by]), graph.constant(buckets)])

    second = graph.node("Slice", ["input_ids", step, all_of_it, step])
    third = graph.node("Slice", ["input_ids", graph.constant([2]), all_of_it, step])
    bigrams = followed("input_ids", by=second)
    trigrams = followed(bigrams, by=third)
    return graph.node("Concat", [bigrams, trigrams], axis=1)


class _Layers:
    """Writes layers. Hidden states are rows (n * length, H) between them.

    `shape` names (n, length, -1), `flat` (-1, H).
    """

    def __init__(self, graph: _Graph, shape: str, flat: str) -> None:
        self.graph, self.shape, self.flat = graph, shape, flat

    def whole(self, hidden: str, layer: Layer) -> str:
        """Every token's new state."""
        graph = self.graph
        packed = graph.node("Reshape", [graph.linear(hidden, layer.qkv), self.shape])
        mixed = self._attention(graph.split(packed, 3, axis=2), layer)
        return self._after_attention(hidden, mixed, layer)

    def first_token(self, hidden: str, layer: Layer, output: str) -> str:
        """The new state of each row's first token, (n, H)."""
        graph = self.graph
        tokens = graph.node("Reshape", [hidden, self.shape])
        zero = graph.constant(0)
        first = graph.node("Gather", [tokens, zero], axis=1)
        # Split in the graph, once, when the file is opened: the matrix may be a shared one.
        width = len(layer.norm.weight)
        widths = graph.constant([width, 2 * width])
        query, others = graph.split(graph.weight(layer.qkv.weight), 2, widths, axis=1)
        bias, other_biases = graph.split(graph.weight(layer.qkv.bias), 2, widths, axis=0)
        query = graph.node("Gemm", [first, query, bias])
        query = graph.node("Unsqueeze", [query, graph.constant([1])])
        others = graph.node("Gemm", [hidden, others, other_biases])
        keys_values = graph.split(graph.node("Reshape", [others, self.shape]), 2, axis=2)
        mixed = self._attention([query, *keys_values], layer)
        return self._after_attention(first, mixed, layer, output)

    def _attention(self, parts: Sequence[str], layer: Layer) -> str:
        mixed = self.graph.node("MultiHeadAttention", parts, domain=CONTRIB, num_heads=layer.heads)
        return self.graph.node("Reshape", [mixed, self.flat])

    def _after_attention(self, hidden: str, mixed: str, layer: Layer, output: str = "") -> str:
        graph = self.graph
        answer = graph.node("Add", [graph.linear(mixed, layer.output), hidden])
        hidden = graph.norm(answer, layer.attention_norm)
        operator, domain = ACTIVATIONS[layer.activation]
        wide = graph.node(operator, [graph.linear(hidden, layer.up)], domain=domain)
        answer = graph.node("Add", [graph.linear(wide, layer.down), hidden])
        return graph.norm(answer, layer.norm, output)


class _Graph:
    """Nodes and weights in the making; every method names what it adds, as briefly as it can."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[tuple[str, tuple[int, ...], bytes], TensorProto] = {}
        self.names = 0

    def node(
        self, operator: str, inputs: Sequence[str], output: str = "", **options: object
    ) -> str:
        """Add a node with one output; returns the output's name."""
        output = output or self._name()
        self.nodes.append(helper.make_node(operator, inputs, [output], **options))
        return output

    def split(self, value: str, parts: int, widths: str = "", *, axis: int) -> list[str]:
        """Add a split along an axis, into equal parts or the named widths."""
        outputs = [self._name() for _ in range(parts)]
        inputs, options = ([value, widths], {}) if widths else ([value], {"num_outputs": parts})
        self.nodes.append(helper.make_node("Split", inputs, outputs, axis=axis, **options))
        return outputs

    def linear(self, value: str, layer: Linear, output: str = "") -> str:
        """Rows (tokens, in) to (tokens, out)."""
        parts = [value, self.weight(layer.weight), self.weight(layer.bias)]
        return self.node("Gemm", parts, output)

    def norm(self, value: str, norm: Norm, output: str = "") -> str:
        """Normalise over the last axis."""
        parts = [value, self.weight(norm.weight), self.weight(norm.bias)]
        return self.node("LayerNormalization", parts, output, epsilon=norm.epsilon)

    def constant(self, values: int | list[int]) -> str:
        """Integers for shapes."""
        return self.weight(np.array(values, dtype=np.int64))

    def weight(self, values: Array | NDArray[np.int64]) -> str:
        """A tensor; equal ones are stored once."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self.weights:
            self.weights[key] = numpy_helper.from_array(values, self._name())
        return str(self.weights[key].name)

    def model(self, output: str, width: int) -> onnx.ModelProto:
        """The finished graph, checked."""
        ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "length"])
        answer = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", width])
        graph = helper.make_graph(self.nodes, "text", [ids], [answer], list(self.weights.values()))
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model

    def _name(self) -> str:
        """a, b, … z, ba, bb, …"""
        number, name = self.names, ""
        self.names += 1
        while True:
            number, digit = divmod(number, len(DIGITS))
            name = DIGITS[digit] + name
            if not number:
                return name
