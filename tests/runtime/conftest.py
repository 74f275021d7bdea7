"""A hand-made bundle of each kind: a few nodes of ONNX, no torch."""

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
from codewren_runtime import BundleError, load
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


@pytest.fixture(scope="session")
def make() -> Any:
    """The builders above, for tests that make a bundle wrong in one place."""
    from types import SimpleNamespace

    return SimpleNamespace(
        text_onnx=text_onnx,
        head_onnx=head_onnx,
        write_zip=write_zip,
        manifest_of=manifest_of,
        with_manifest=with_manifest,
    )


def check_refused(path: Path, *words: str) -> None:
    with pytest.raises(BundleError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    for word in words:
        assert word in message


@pytest.fixture(scope="session")
def refused() -> Callable[..., None]:
    """Asserts that loading a path fails in one line, which names it and has all these words."""
    return check_refused


@pytest.fixture
def attack(tmp_path: Path, parts_of: Callable[[str], Parts], make: Any) -> Callable[..., Path]:
    """A bundle that is good but for what `change` does to its entries."""

    def write(change: Callable[[Parts], object], kind: str = "single", method: int = 0) -> Path:
        entries = make.with_manifest(parts_of(kind), kind)
        change(entries)
        return make.write_zip(tmp_path / "bad.wren", list(entries.items()), method)

    return write


@pytest.fixture
def lie(
    attack: Callable[..., Path], parts_of: Callable[[str], Parts], make: Any
) -> Callable[..., Path]:
    """A bundle whose manifest was changed; all its hashes are true."""

    def write(change: Callable[[dict[str, Any]], None], kind: str = "single") -> Path:
        manifest = make.manifest_of(parts_of(kind), kind)
        change(manifest)
        data = json.dumps(manifest).encode()
        return attack(lambda entries: entries.update({"manifest.json": data}), kind)

    return write


@pytest.fixture
def swap(attack: Callable[..., Path], make: Any) -> Callable[..., Path]:
    """A bundle with other parts and a true manifest of them."""

    def write(kind: str = "single", **parts: bytes) -> Path:
        def change(entries: Parts) -> None:
            entries.pop("manifest.json")
            entries.update({name.replace("_", "."): data for name, data in parts.items()})
            entries.update(make.with_manifest(dict(entries), kind))

        return attack(change, kind)

    return write
