"""Files and folders that are no bundle, or one with a trap in it."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from packing import Parts, Write, zip_of

__all__ = ["FILE_CASES"]


def _bytes(change: Callable[[bytes], bytes]) -> Write:
    """A bundle whose bytes were changed."""

    def write(parts: Parts, folder: Path) -> Path:
        path = zip_of(parts.items(), folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return write


def _entry(name: str, data: bytes = b"x") -> Write:
    """A bundle with one more entry."""
    return lambda parts, folder: zip_of([*parts.items(), (name, data)], folder)


def _directory_at(data: bytes, name: bytes) -> int:
    """Where the directory's record of an entry begins."""
    at = data.index(b"PK\x01\x02")
    while data[at + 46 :][: len(name)] != name:
        at = data.index(b"PK\x01\x02", at + 4)
    return at


def _packed(offset: int, form: str, value: int) -> Callable[[bytes], bytes]:
    """Change one field of the directory's record of the graph."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        struct.pack_into(form, changed, _directory_at(data, b"model.onnx") + offset, value)
        return bytes(changed)

    return change


def _flip_in_the_middle(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _bomb(parts: Parts, folder: Path) -> Path:
    parts["model.onnx"] = bytes(300_000_000)
    return zip_of(parts.items(), folder, zipfile.ZIP_DEFLATED)


def _huge_sparse_file(parts: Parts, folder: Path) -> Path:
    path = zip_of(parts.items(), folder)
    os.truncate(path, 1 << 40)
    return path


def _many(parts: Parts, folder: Path) -> Path:
    return zip_of([*parts.items(), *((f"{i:06}", b"") for i in range(50_000))], folder)


def _without(name: str) -> Write:
    return lambda parts, folder: zip_of(
        [(other, data) for other, data in parts.items() if other != name], folder
    )


def _folder(spoil: Callable[[Path], object]) -> Write:
    """The bundle as a folder, with a trap in it."""

    def write(parts: Parts, folder: Path) -> Path:
        for name, data in parts.items():
            (folder / name).write_bytes(data)
        spoil(folder)
        return folder

    return write


def _link(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to("/etc/passwd")


def _pipe(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")


def _fifo(_: Parts, folder: Path) -> Path:
    os.mkfifo(folder / "bad.wren")
    return folder / "bad.wren"


FILE_CASES: dict[str, tuple[str, Write]] = {
    "empty file": ("empty", _bytes(lambda _: b"")),
    "random bytes": ("not a bundle", _bytes(lambda data: b"\x93" * len(data))),
    "script in front": ("not a bundle", _bytes(lambda data: b"#!/bin/sh\nrm -r ~\n" + data)),
    "cut short": ("cut short", _bytes(lambda data: data[:-1000])),
    "bytes behind": ("cut short or extended", _bytes(lambda data: data + b"hidden")),
    "bytes between": (
        "not a plain zip",
        _bytes(lambda data: data.replace(b"PK\x01\x02", b"hidden" + b"PK\x01\x02", 1)),
    ),
    "flipped bit": ("damaged", _bytes(_flip_in_the_middle)),
    "zip bomb": ("is compressed", _bomb),
    "terabyte of holes": ("a bundle has at most", _huge_sparse_file),
    "many entries": ("too many entries", _many),
    "name that stands twice": (
        "an entry stands twice",
        lambda parts, folder: zip_of(
            [*parts.items(), ("tokenizer.json", parts["tokenizer.json"])], folder
        ),
    ),
    "path out of the folder": ("unexpected entry", _entry("../../.bashrc")),
    "absolute path": ("unexpected entry", _entry("/etc/cron.d/evil")),
    "pickle": ("unexpected entry", _entry("weights.pkl", b"cos\nsystem\n(S'id'\ntR.")),
    "code": ("unexpected entry", _entry("model.py", b"import os")),
    "missing graph": ("model.onnx is missing", _without("model.onnx")),
    "encrypted": ("encrypted", _bytes(_packed(8, "<H", 1))),
    "size that is a lie": ("not a plain zip", _bytes(_packed(24, "<L", 10))),
    "entry over another": ("not a plain zip", _bytes(_packed(42, "<L", 7))),
    "link in a folder": ("tokenizer.json is no regular file", _folder(_link)),
    "pipe in a folder": ("model.onnx is no regular file", _folder(_pipe)),
    "surplus file in a folder": (
        "unexpected entry",
        _folder(lambda folder: (folder / "setup.py").write_text("import os")),
    ),
    "pipe for a bundle": ("neither a file nor a folder", _fifo),
}
