"""The precisions that a graph can ship in, by name.

`fp32`, `fp16`, `int8` and `int4` say how weights are stored; arithmetic is fp32, so an answer
does not depend on the CPU's integer instructions. `int8-dynamic` and `int8-static` multiply
integers, through onnxruntime's own quantizers: the first finds the range of a layer's input in
every call, the second has it from the sample texts. Their weights keep to 7 bits, since a CPU
without VNNI adds two products in 16 bits; embeddings are stored in 8.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

from codewren_export.quiet import quiet
from codewren_export.weights import store_weights

__all__ = ["ARITHMETIC", "QUANTS", "WEIGHT_BITS", "Quant", "quantise"]

Quant = Literal["int8", "fp16", "fp32", "int4", "int8-dynamic", "int8-static"]
QUANTS: tuple[Quant, ...] = get_args(Quant)
WEIGHT_BITS = {"int4": 4, "int8": 8, "fp16": 16, "fp32": 32, "int8-dynamic": 8, "int8-static": 8}
ARITHMETIC = {"int8-dynamic": "int8, ranges per call", "int8-static": "int8, fixed ranges"}

CALIBRATION_TEXTS = 64
FLOAT_IF_UNKNOWN = {"DefaultTensorType": TensorProto.FLOAT}


def quantise(
    graph: onnx.ModelProto, quant: Quant, texts: Sequence[Sequence[int]]
) -> onnx.ModelProto:
    """A text's graph in the precision `quant`; `texts` are token ids to find ranges on."""
    if quant == "int8-dynamic":
        graph = _dynamic(graph)
    elif quant == "int8-static":
        graph = _static(graph, texts[:CALIBRATION_TEXTS])
    return store_weights(graph, WEIGHT_BITS[quant])


def _dynamic(graph: onnx.ModelProto) -> onnx.ModelProto:
    with quiet(), tempfile.TemporaryDirectory(prefix="codewren-export-") as folder:
        path = Path(folder) / "dynamic.onnx"
        quantize_dynamic(
            _prepared(graph),
            path,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={**FLOAT_IF_UNKNOWN, "MatMulConstBOnly": True},
        )
        return _tidied(onnx.load(path), graph)


def _static(graph: onnx.ModelProto, texts: Sequence[Sequence[int]]) -> onnx.ModelProto:
    with quiet(), tempfile.TemporaryDirectory(prefix="codewren-export-") as folder:
        path = Path(folder) / "static.onnx"
        quantize_static(
            _prepared(graph),
            path,
            _Texts(texts),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Gemm"],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options=FLOAT_IF_UNKNOWN,
        )
        return _tidied(onnx.load(path), graph)


class _Texts(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime is untyped
    """Token ids, one text after the other, as the quantizer asks for them."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        self._texts: Iterator[Sequence[int]] = iter(texts)

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        ids = next(self._texts, None)
        return None if ids is None else {"input_ids": np.array([ids], dtype=np.int64)}


def _prepared(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that says what shape inference cannot know behind a contrib operator: fp32."""
    copy = onnx.ModelProto()
    copy.CopyFrom(graph)
    integers = {value.name for value in graph.graph.input}
    integers |= {w.name for w in graph.graph.initializer if w.data_type == TensorProto.INT64}
    for node in copy.graph.node:
        if node.op_type == "Shape" or integers.issuperset(node.input):
            integers.update(node.output)
        else:
            copy.graph.value_info.extend(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                for name in node.output
                if name not in {output.name for output in copy.graph.output}
            )
    add_pre_process_metadata(copy)  # else the quantizer asks for what was just done
    return copy


def _tidied(quantised: onnx.ModelProto, graph: onnx.ModelProto) -> onnx.ModelProto:
    """The quantizer's graph with short names and without its remarks: both cost bytes."""
    kept = {value.name for value in (*graph.graph.input, *graph.graph.output)}
    short: dict[str, str] = {name: name for name in kept} | {"": ""}

    def shorten(names: Any) -> None:
        for index, name in enumerate(names):
            names[index] = short.setdefault(name, f"q{len(short)}")

    for node in quantised.graph.node:
        shorten(node.input)
        shorten(node.output)
        node.name = ""
    for weight in quantised.graph.initializer:
        # Some come as lists of numbers; a bundle holds bytes alone.
        plain = numpy_helper.from_array(numpy_helper.to_array(weight), short[weight.name])
        weight.CopyFrom(plain)
    del quantised.graph.value_info[:], quantised.metadata_props[:]
    quantised.producer_name = quantised.producer_version = ""
    quantised.graph.name = graph.graph.name
    return quantised
