"""A hand-made bundle of each kind: a few nodes of ONNX, no torch; every test may ask for them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.bundle import SCHEMA

HIDDEN, VOCAB, LABELS = 8, 300, ("safe", "vulnerable", "unknown")
FLOAT = TensorProto.FLOAT

Parts = dict[str, bytes]


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int, list[Any]]],
    output: str,
    weights: Mapping[str, Any],
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(output, FLOAT, ["n", "width"])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def text_onnx(kind: str, labels: int = len(LABELS), output: str | None = None) -> bytes:
    """Mean of embeddings; for a single text a linear layer on top."""
    rng = np.random.default_rng(0)
    output = output or ("logits" if kind == "single" else "embedding")
    mean = "mean" if kind == "single" else output
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("ReduceMean", ["rows"], [mean], axes=[1], keepdims=0),
    ]
    weights = {"table": rng.normal(size=(VOCAB, HIDDEN)).astype(np.float32)}
    if kind == "single":
        nodes.append(helper.make_node("MatMul", ["mean", "out"], [output]))
        weights["out"] = rng.normal(size=(HIDDEN, labels)).astype(np.float32)
    inputs = [("input_ids", TensorProto.INT64, ["n", "length"])]
    return _model(nodes, inputs, output, weights)


def head_onnx(labels: int = len(LABELS)) -> bytes:
    """A linear layer on the product of the embeddings."""
    rng = np.random.default_rng(1)
    nodes = [
        helper.make_node("Mul", ["embedding_1", "embedding_2"], ["product"]),
        helper.make_node("MatMul", ["product", "out"], ["logits"]),
    ]
    inputs = [(name, FLOAT, ["n", HIDDEN]) for name in ("embedding_1", "embedding_2")]
    weights = {"out": rng.normal(size=(HIDDEN, labels)).astype(np.float32)}
    return _model(nodes, inputs, "logits", weights)


def write_zip(path: Path, entries: list[tuple[str, bytes]], method: int = 0) -> Path:
    """A zip with these entries, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    path.write_bytes(buffer.getvalue())
    return path


def manifest_of(parts: Parts, kind: str) -> dict[str, Any]:
    """A true manifest for the parts."""
    return {
        "schema": SCHEMA,
        "task": {
            "name": "tiny",
            "kind": kind,
            "labels": [] if kind == "embedding" else list(LABELS),
            "normalisation": "structure",
        },
        "architecture": {
            "vocab_size": VOCAB,
            "hidden_size": HIDDEN,
            "num_layers": 1,
            "num_heads": 1,
            "intermediate_size": 4,
            "max_length": 32,
        },
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in parts.items()
        },
        "decision": {"temperature": 1.0, "positive": None, "threshold": None, "calibration": {}},
        "long_inputs": "truncate",
        "quantisation": {},
        "provenance": {},
        "metrics": {},
    }


def with_manifest(parts: Parts, kind: str) -> Parts:
    """The parts and their true manifest."""
    return {**parts, "manifest.json": json.dumps(manifest_of(parts, kind)).encode()}


@pytest.fixture(scope="session")
def tokenizer_json() -> str:
    texts = ["def add(first, second):\n    return first + second", "for i in range(10): print(i)"]
    return train_tokenizer(texts, 280, "structure")


@pytest.fixture(scope="session")
def parts_of(tokenizer_json: str) -> Callable[[str], Parts]:
    def make(kind: str) -> Parts:
        parts = {"model.onnx": text_onnx(kind), "tokenizer.json": tokenizer_json.encode()}
        return {**parts, "head.onnx": head_onnx()} if kind == "pair" else parts

    return make


@pytest.fixture
def wren(tmp_path: Path, parts_of: Callable[[str], Parts]) -> Callable[[str], Path]:
    """Writes a good bundle of a kind and gives its path."""

    def write(kind: str) -> Path:
        entries = with_manifest(parts_of(kind), kind)
        return write_zip(tmp_path / f"{kind}.wren", list(entries.items()))

    return write
