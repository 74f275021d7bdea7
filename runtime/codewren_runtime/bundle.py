"""The bundle: one `.wren` file, or the same as a folder, that holds a whole model.

Invariants, every one enforced by `read_bundle` before onnxruntime sees a byte:

1. A `.wren` file is a zip of at most `MAX_BYTES`, with nothing before its first entry, no
   comment, no zip64 record, no encryption; entries are stored or deflated.
2. It holds exactly `manifest.json`, `model.onnx`, `tokenizer.json` and, for a pair model,
   `head.onnx`; each once, by that very name. In a folder they are regular files, no links.
3. Together the entries take at most `MAX_BYTES` once unpacked, the manifest at most
   `MAX_MANIFEST_BYTES`; no more than the declared size is ever unpacked.
4. `manifest.json` is a JSON object of schema `SCHEMA` with the fields of `Manifest`, no others;
   its window is at most `MAX_WINDOW` tokens, since memory grows with the window's square.
5. Its `files` name every other entry, with the sha256 and the length of its bytes.
6. No ONNX tensor keeps its data outside the file.

`codewren_runtime.model` then checks what needs the parts opened: the special tokens, the names
of inputs and outputs, the width of the logits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from codewren_runtime._archive import read_folder, read_zip
from codewren_runtime._onnx_wire import check_self_contained
from codewren_runtime.errors import BundleError, OptionError
from codewren_runtime.types import Architecture, Task

__all__ = [
    "HEAD",
    "MANIFEST",
    "MAX_BYTES",
    "MAX_MANIFEST_BYTES",
    "MAX_WINDOW",
    "MODEL",
    "SCHEMA",
    "TOKENIZER",
    "Bundle",
    "FileInfo",
    "Manifest",
    "part_names",
    "read_bundle",
]

SCHEMA = 2  # 1: model.onnx took a mask of padding too
MAX_BYTES = 64_000_000
MAX_MANIFEST_BYTES = 1_000_000
MAX_WINDOW = 8_192

MANIFEST, MODEL, TOKENIZER, HEAD = "manifest.json", "model.onnx", "tokenizer.json", "head.onnx"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """sha256 (hex) and length of one entry."""

    sha256: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> FileInfo:
        """What the manifest says of `data`."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself; `architecture.max_length` is the window, in tokens.

    `quantisation`, `provenance` and `metrics` are plain JSON objects for people to read: how
    the weights are stored, what the model was made from, and the figures of the export gates.
    """

    task: Task
    architecture: Architecture
    files: Mapping[str, FileInfo]
    quantisation: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, the schema number among them."""
        return {
            "schema": SCHEMA,
            "task": self.task.to_json(),
            "architecture": self.architecture.to_json(),
            "files": {
                name: {"sha256": info.sha256, "bytes": info.size}
                for name, info in sorted(self.files.items())
            },
            "quantisation": dict(self.quantisation),
            "provenance": dict(self.provenance),
            "metrics": dict(self.metrics),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Manifest:
        """Inverse of `to_json`; raises BundleError, or OptionError for task and architecture."""
        if data.get("schema") != SCHEMA:
            raise BundleError(
                f"schema {data.get('schema')!r} instead of {SCHEMA}: "
                "made by another version, export it again"
            )
        fields = {"schema", *cls.__dataclass_fields__}
        if odd := sorted(fields ^ set(data)):
            raise BundleError(f"field {odd[0]!r} is {'missing' if odd[0] in fields else 'unknown'}")
        for name in sorted(cls.__dataclass_fields__):
            if not isinstance(data[name], dict):
                raise BundleError(f"{name} must be an object")
        architecture = Architecture.from_json(data["architecture"])
        if architecture.max_length > MAX_WINDOW:
            raise BundleError(f"architecture: max_length is above {MAX_WINDOW:,}")
        return cls(
            Task.from_json(data["task"]),
            architecture,
            {name: _file_info(name, entry) for name, entry in data["files"].items()},
            data["quantisation"],
            data["provenance"],
            data["metrics"],
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's checked parts; `size_bytes` is what it takes on disk."""

    path: Path
    manifest: Manifest
    model: bytes
    tokenizer_json: str
    head: bytes | None
    size_bytes: int


def part_names(task: Task) -> tuple[str, ...]:
    """The entries beside the manifest, in the order in which they are written."""
    return (HEAD, MODEL, TOKENIZER) if task.kind == "pair" else (MODEL, TOKENIZER)


def read_bundle(path: Path | str) -> Bundle:
    """Read and check a bundle, a file or a folder; raises BundleError in one line."""
    path = Path(path)
    try:
        read = read_folder if path.is_dir() else read_zip
        limits = {MANIFEST: MAX_MANIFEST_BYTES, MODEL: MAX_BYTES, TOKENIZER: MAX_BYTES}
        parts, size = read(path, limits, optional={HEAD: MAX_BYTES}, total=MAX_BYTES)
        manifest = _parse_manifest(parts.pop(MANIFEST))
        _check_parts(parts, manifest)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
    return Bundle(
        path, manifest, parts[MODEL], parts[TOKENIZER].decode("utf-8"), parts.get(HEAD), size
    )


def _parse_manifest(data: bytes) -> Manifest:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST} is not JSON: export it again") from error
    if not isinstance(value, dict):
        raise BundleError(f"{MANIFEST} is not a JSON object: export it again")
    try:
        return Manifest.from_json(cast(dict[str, Any], value))
    except (BundleError, OptionError, TypeError) as error:
        hint = "" if "export it again" in str(error) else "; export it again"
        raise BundleError(f"{MANIFEST}: {error}{hint}") from error


def _check_parts(parts: Mapping[str, bytes], manifest: Manifest) -> None:
    expected = set(part_names(manifest.task))
    if odd := sorted(expected ^ set(manifest.files)) or sorted(expected ^ set(parts)):
        state = "is missing" if odd[0] in expected else "does not belong to this kind of model"
        raise BundleError(f"{odd[0]} {state}: export it again")
    for name, data in parts.items():
        if FileInfo.of(data) != manifest.files[name]:
            raise BundleError(f"{name} is not what the manifest says: damaged, copy it again")
        if name.endswith(".onnx"):
            check_self_contained(name, data)
    try:
        parts[TOKENIZER].decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{TOKENIZER} is not UTF-8: export it again") from error


def _file_info(name: str, entry: Any) -> FileInfo:
    match entry:
        case {"sha256": str(sha256), "bytes": int(size)} if len(entry) == 2:
            return FileInfo(sha256, size)
    raise BundleError(f"files: {name!r} must have a sha256 and a number of bytes")
