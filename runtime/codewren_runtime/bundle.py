"""The bundle: one `.wren` file, or the same as a folder, that holds a whole model.

docs/bundle.md lists its invariants; `read_bundle` enforces every one before onnxruntime or
tokenizers sees a byte. `codewren_runtime.model` then checks what needs the parts opened: the
names of inputs and outputs, the width of the answer, one tiny prediction.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from codewren_runtime._archive import read_folder, read_zip
from codewren_runtime._onnx_wire import check_onnx
from codewren_runtime._sha256 import sha256
from codewren_runtime._strict_json import read_object
from codewren_runtime._tokenizer_json import check_tokenizer
from codewren_runtime.decision import Decision, LongInputs, check_long_inputs
from codewren_runtime.errors import BundleError, OptionError
from codewren_runtime.types import Architecture, Task

__all__ = [
    "HEAD",
    "MANIFEST",
    "MAX_BYTES",
    "MAX_LABELS",
    "MAX_MANIFEST_BYTES",
    "MAX_TOKENIZER_BYTES",
    "MAX_VOCABULARY",
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
MAX_TOKENIZER_BYTES = 16_000_000
MAX_WINDOW = 8_192
MAX_VOCABULARY = 200_000
MAX_LABELS = 1_000

MANIFEST, MODEL, TOKENIZER, HEAD = "manifest.json", "model.onnx", "tokenizer.json", "head.onnx"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """sha256 (hex) and length of one entry."""

    sha256: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> FileInfo:
        """What the manifest says of `data`."""
        return cls(sha256(data).hexdigest(), len(data))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself; `architecture.max_length` is the window, in tokens.

    `decision` is how logits become an answer, `long_inputs` what becomes of a text beyond the
    window. `quantisation`, `provenance` and `metrics` are plain JSON objects for people to read:
    how the weights are stored, what the model was made from, and the figures of the export gates.
    """

    task: Task
    architecture: Architecture
    files: Mapping[str, FileInfo]
    decision: Decision = field(default_factory=Decision)
    long_inputs: LongInputs = "truncate"
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
            "decision": self.decision.to_json(),
            "long_inputs": self.long_inputs,
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
        for name in sorted(set(cls.__dataclass_fields__) - {"long_inputs"}):
            if not isinstance(data[name], dict):
                raise BundleError(f"{name} must be an object")
        architecture = Architecture.from_json(data["architecture"])
        if architecture.max_length > MAX_WINDOW:
            raise BundleError(f"architecture: max_length is above {MAX_WINDOW:,}")
        if architecture.vocab_size > MAX_VOCABULARY:
            raise BundleError(f"architecture: vocab_size is above {MAX_VOCABULARY:,}")
        task = Task.from_json(data["task"])
        if len(task.labels) > MAX_LABELS:
            raise BundleError(f"task: more than {MAX_LABELS:,} labels")
        return cls(
            task,
            architecture,
            {name: _file_info(name, entry) for name, entry in data["files"].items()},
            Decision.from_json(data["decision"], task),
            check_long_inputs(data["long_inputs"], task),
            data["quantisation"],
            data["provenance"],
            data["metrics"],
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle's checked parts; `size_bytes` is what it takes on disk."""

    path: str | os.PathLike[str]
    manifest: Manifest
    model: bytes
    tokenizer_json: str
    head: bytes | None
    size_bytes: int


def part_names(task: Task) -> tuple[str, ...]:
    """The entries beside the manifest, in the order in which they are written."""
    return (HEAD, MODEL, TOKENIZER) if task.kind == "pair" else (MODEL, TOKENIZER)


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read and check a bundle, a file or a folder; raises BundleError in one line."""
    try:
        read = read_folder if os.path.isdir(path) else read_zip
        limits = {MANIFEST: MAX_MANIFEST_BYTES, MODEL: MAX_BYTES, TOKENIZER: MAX_TOKENIZER_BYTES}
        parts, size = read(os.fspath(path), limits, optional={HEAD: MAX_BYTES}, total=MAX_BYTES)
        manifest = _parse_manifest(parts.pop(MANIFEST))
        _check_parts(parts, manifest)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
    tokenizer_json = parts[TOKENIZER].decode("utf-8")
    return Bundle(path, manifest, parts[MODEL], tokenizer_json, parts.get(HEAD), size)


def _parse_manifest(data: bytes) -> Manifest:
    value = read_object(MANIFEST, data)
    try:
        return Manifest.from_json(value)
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
            check_onnx(name, data)
    check_tokenizer(TOKENIZER, parts[TOKENIZER], manifest.architecture.vocab_size)


def _file_info(name: str, entry: Any) -> FileInfo:
    match entry:
        case {"sha256": str(sha256), "bytes": int(size)} if len(entry) == 2:
            return FileInfo(sha256, size)
    raise BundleError(f"files: {name!r} must have a sha256 and a number of bytes")
