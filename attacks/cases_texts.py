"""Manifests and tokenizers that lie, or that would keep a reader busy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from packing import Parts, Write, edit_manifest, edit_tokenizer, rehash, zip_of

__all__ = ["TEXT_CASES"]

NAN, INFINITY = float("nan"), float("inf")


def _text(name: str, change: Callable[[bytes], bytes]) -> Write:
    """A bundle with one part's bytes changed."""

    def write(parts: Parts, folder: Path) -> Path:
        parts[name] = change(parts[name])
        return zip_of((rehash(parts) if name != "manifest.json" else parts).items(), folder)

    return write


def _decision(**fields: Any) -> Write:
    return edit_manifest(lambda manifest: manifest["decision"].update(fields))


def _shape(**fields: int) -> Write:
    return edit_manifest(lambda manifest: manifest["architecture"].update(fields))


def _other_hash(manifest: dict[str, Any]) -> None:
    manifest["files"]["model.onnx"]["sha256"] = 64 * "0"


def _set(**fields: Any) -> Write:
    return edit_tokenizer(lambda tokenizer: tokenizer.update(fields))


def _model(**fields: Any) -> Write:
    return edit_tokenizer(lambda tokenizer: tokenizer["model"].update(fields))


def _absurd_vocabulary(tokenizer: dict[str, Any]) -> None:
    tokenizer["model"]["vocab"] |= {f"token{i}": i for i in range(500_000)}


def _id_out_of_the_embeddings(tokenizer: dict[str, Any]) -> None:
    tokenizer["model"]["vocab"]["a"] = 10**9


def _long_token(tokenizer: dict[str, Any]) -> None:
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a" * 10**6] = vocabulary.pop(list(vocabulary)[-1])


# A pattern that takes exponential time on "aaaa…!".
EVIL_PATTERN = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated",
                "invert": False}  # fmt: skip
EVIL_REPLACE = {"type": "Replace", "pattern": {"Regex": "((a{0,1000}){0,1000}){0,1000}"},
                "content": ""}  # fmt: skip

TEXT_CASES: dict[str, tuple[str, Write]] = {
    "wrong hash": ("model.onnx is not what the manifest says", edit_manifest(_other_hash)),
    "former schema": ("made by another version", edit_manifest(lambda m: m.update(schema=1))),
    "later schema": ("made by another version", edit_manifest(lambda m: m.update(schema=99))),
    "unknown field": ("field 'run' is unknown", edit_manifest(lambda m: m.update(run="evil"))),
    "manifest of a million brackets": (
        "claims 1,000,001 bytes",
        _text("manifest.json", lambda _: b"[" * 1_000_001),
    ),
    "deep manifest": ("is not JSON", _text("manifest.json", lambda _: b"[" * 900_000)),
    "half a character": (
        "holds half a character",
        _text("manifest.json", lambda data: data.replace(b'"provenance"', b'"provenanc\\ud800"')),
    ),
    "field that stands twice": (
        "a name stands twice",
        _text("manifest.json", lambda data: data[:-1] + b',"schema":2}'),
    ),
    "NaN threshold": ("NaN is no JSON number", _decision(threshold=NAN)),
    "infinite temperature": ("Infinity is no JSON number", _decision(temperature=INFINITY)),
    "temperature beyond all floats": ("temperature must lie in", _decision(temperature=10**400)),
    "temperature of zero": ("temperature must lie in", _decision(temperature=0)),
    "threshold above one": (
        "threshold must lie between 0 and 1",
        edit_manifest(
            lambda m: m["decision"].update(positive=m["task"]["labels"][1], threshold=1.5)
        ),
    ),
    "positive that is no label": (
        "positive must be one of two labels",
        _decision(positive="nobody", threshold=0.5),
    ),
    "unknown way with long inputs": (
        "long_inputs must be one of",
        edit_manifest(lambda m: m.update(long_inputs="exec")),
    ),
    "huge window": ("max_length is above", _shape(max_length=10**9)),
    "huge vocabulary": ("vocab_size is above", _shape(vocab_size=10**12)),
    "a million labels": (
        "more than 1,000 labels",
        edit_manifest(lambda m: m["task"].update(labels=[f"{i}" for i in range(90_000)])),
    ),
    "tokenizer that is no JSON": (
        "tokenizer.json is not JSON",
        _text("tokenizer.json", lambda data: data[:-10]),
    ),
    "tokenizer with an evil pattern": ("'pre_tokenizer'", _set(pre_tokenizer=EVIL_PATTERN)),
    "tokenizer with an evil normaliser": ("'normalizer'", _set(normalizer=EVIL_REPLACE)),
    "tokenizer that pads": (
        "'padding'",
        _set(
            padding={
                "strategy": {"Fixed": 10**9},
                "direction": "Right",
                "pad_to_multiple_of": None,
                "pad_id": 1,
                "pad_type_id": 0,
                "pad_token": "<pad>",
            }
        ),
    ),
    "tokenizer that draws lots": ("'dropout'", _model(dropout=0.5)),
    "tokenizer of another kind": ("'type'", _model(type="Unigram")),
    "absurd vocabulary": ("tokens: export it again", edit_tokenizer(_absurd_vocabulary)),
    "id outside the embeddings": ("id 1000000000", edit_tokenizer(_id_out_of_the_embeddings)),
    "token of a million letters": ("1,000 characters", edit_tokenizer(_long_token)),
    "tokenizer without its special tokens": (
        "special token '</s>' is missing",
        _text("tokenizer.json", lambda data: data.replace(b"</s>", b"</t>")),
    ),
}
