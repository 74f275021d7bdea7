"""Attacks from within: the zip is sound, what is in it is not. Each is refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

Parts = dict[str, bytes]
PartsOf = Callable[[str], Parts]
Write = Callable[[str], Path]
Refused = Callable[..., None]


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"nonsense", b"\xff\xfe", b"[" * 100_000, b'{"schema": 1}', b"null"],
)
def test_manifest_is_no_manifest(
    attack: Callable[..., Path], data: bytes, refused: Refused
) -> None:
    path = attack(lambda entries: entries.update({"manifest.json": data}))
    refused(path, "manifest.json", "export it again")


@pytest.mark.parametrize("schema", [1, 3, "2"])
def test_other_schema(lie: Callable[..., Path], schema: object, refused: Refused) -> None:
    refused(lie(lambda m: m.update(schema=schema)), "another version, export it again")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("task", []),
        ("task", {}),
        ("task", {"name": 1, "kind": "single", "labels": ["a", "b"], "normalisation": "structure"}),
        ("task", {"name": "t", "kind": "x", "labels": ["a", "b"], "normalisation": "structure"}),
        ("task", {"name": "t", "kind": [], "labels": ["a", "b"], "normalisation": "structure"}),
        (
            "task",
            {"name": "t", "kind": "single", "labels": [[], "b"], "normalisation": "structure"},
        ),
        ("task", {"name": "t", "kind": "single", "labels": ["a", 2], "normalisation": "structure"}),
        ("architecture", None),
        ("architecture", {"vocab_size": "300"}),
        ("files", {"model.onnx": 1}),
        ("files", {"model.onnx": {"sha256": 1, "bytes": "x"}}),
        ("files", {}),
        ("metrics", 3),
        ("provenance", "here"),
        ("surprise", {}),
    ],
)
def test_manifest_with_wrong_types(
    lie: Callable[..., Path], field: str, value: Any, refused: Refused
) -> None:
    refused(lie(lambda m: m.update({field: value})), "export it again")


def test_manifest_with_a_huge_window(lie: Callable[..., Path], refused: Refused) -> None:
    refused(lie(lambda m: m["architecture"].update(max_length=10**12)), "max_length")


def test_labels_are_as_many_as_logits(lie: Callable[..., Path], refused: Refused) -> None:
    path = lie(lambda m: m["task"].update(labels=["a", "b"]))
    refused(path, "model.onnx", "export it again")
    path = lie(lambda m: m["task"].update(labels=["a", "b"]), "pair")
    refused(path, "head.onnx", "export it again")


def test_embedding_is_as_wide_as_the_manifest_says(
    lie: Callable[..., Path], refused: Refused
) -> None:
    refused(lie(lambda m: m["architecture"].update(hidden_size=16), "pair"), "embedding")


def test_vocabulary_larger_than_the_model(lie: Callable[..., Path], refused: Refused) -> None:
    refused(lie(lambda m: m["architecture"].update(vocab_size=100)), "280 tokens")


def test_ids_outside_the_embeddings(
    swap: Callable[..., Path], parts_of: PartsOf, refused: Refused
) -> None:
    model = onnx.load_from_string(parts_of("single")["model.onnx"])
    table = model.graph.initializer[0]
    table.raw_data = table.raw_data[: len(table.raw_data) // 2]
    table.dims[0] //= 2
    refused(swap(model_onnx=model.SerializeToString()), "model.onnx failed")


@pytest.mark.parametrize("data", [b"{}", b"[]", b"\xff", b"", b'{"model": {"type": "BPE"}}'])
def test_tokenizer_is_none(swap: Callable[..., Path], data: bytes, refused: Refused) -> None:
    refused(swap(tokenizer_json=data), "tokenizer")


def test_tokenizer_lacks_a_special_token(
    swap: Callable[..., Path], tokenizer_json: str, refused: Refused
) -> None:
    data = tokenizer_json.replace("</s>", "</t>").encode()
    refused(swap(tokenizer_json=data), "'</s>' is missing")


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff" * 50, b"ORTM" * 10, b"\x08\x08"])
def test_model_is_no_onnx(swap: Callable[..., Path], data: bytes, refused: Refused) -> None:
    refused(swap(model_onnx=data), "model.onnx")


def test_wrong_output_name(swap: Callable[..., Path], make: Any, refused: Refused) -> None:
    refused(swap(model_onnx=make.text_onnx("single", output="scores")), "into logits")


def test_not_finite(swap: Callable[..., Path], parts_of: PartsOf, refused: Refused) -> None:
    model = onnx.load_from_string(parts_of("single")["model.onnx"])
    out = model.graph.initializer[1]
    out.raw_data = b"\xff" * len(out.raw_data)
    refused(swap(model_onnx=model.SerializeToString()), "not finite")


def _external(tensor: TensorProto, path: Path) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": str(path), "offset": "0", "length": "96"}.items():
        tensor.external_data.add(key=key, value=value)


@pytest.mark.parametrize("place", ["initializer", "constant"])
def test_data_outside_the_file(
    swap: Callable[..., Path], parts_of: PartsOf, tmp_path: Path, place: str, refused: Refused
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(96))
    model = onnx.load_from_string(parts_of("single")["model.onnx"])
    tensor = model.graph.initializer.pop()
    _external(tensor, secret)
    constant = helper.make_node("Constant", [], ["out"], value=tensor)
    if place == "initializer":
        model.graph.initializer.append(tensor)
    else:
        model.graph.node.insert(0, constant)
    refused(swap(model_onnx=model.SerializeToString()), "keeps data in another file")


def test_a_path_that_no_system_has(refused: Refused) -> None:
    refused(Path("a\0b.wren"), "cannot be read")
