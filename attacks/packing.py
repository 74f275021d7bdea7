"""Write a bundle from parts, as wrong as wanted."""

from __future__ import annotations

import hashlib
import json
import warnings
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import onnx

__all__ = ["Parts", "Write", "edit_graph", "edit_manifest", "edit_tokenizer", "rehash", "zip_of"]

Parts = dict[str, bytes]
Write = Callable[[Parts, Path], Path]


def zip_of(entries: Iterable[tuple[str, bytes]], folder: Path, method: int = 0) -> Path:
    """A zip of these entries, in this order, whatever their names."""
    path = folder / "bad.wren"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")  # zipfile warns of a name that stands twice
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


def rehash(parts: Parts) -> Parts:
    """The parts, with a manifest that tells the truth about them."""
    manifest = json.loads(parts["manifest.json"])
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in parts.items()
        if name != "manifest.json"
    }
    return parts | {"manifest.json": json.dumps(manifest).encode()}


def edit_manifest(change: Callable[[dict[str, Any]], object]) -> Write:
    """A bundle whose manifest was changed."""

    def write(parts: Parts, folder: Path) -> Path:
        manifest = json.loads(parts["manifest.json"])
        change(manifest)
        parts["manifest.json"] = json.dumps(manifest).encode()
        return zip_of(parts.items(), folder)

    return write


def edit_graph(change: Callable[[onnx.ModelProto], object]) -> Write:
    """A bundle whose graph was changed; all hashes are true."""

    def write(parts: Parts, folder: Path) -> Path:
        model = onnx.load_from_string(parts["model.onnx"])
        change(model)
        parts["model.onnx"] = model.SerializeToString()
        return zip_of(rehash(parts).items(), folder)

    return write


def edit_tokenizer(change: Callable[[dict[str, Any]], object]) -> Write:
    """A bundle whose tokenizer was changed; all hashes are true."""

    def write(parts: Parts, folder: Path) -> Path:
        tokenizer = json.loads(parts["tokenizer.json"])
        change(tokenizer)
        parts["tokenizer.json"] = json.dumps(tokenizer).encode()
        return zip_of(rehash(parts).items(), folder)

    return write
