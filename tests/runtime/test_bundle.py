"""Attacks on the bundle: each is refused, in one line, before onnxruntime sees a byte."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewren_runtime import BundleError, Manifest, read_bundle

Parts = dict[str, bytes]
PartsOf = Callable[[str], Parts]
Write = Callable[[str], Path]
Refused = Callable[..., None]


@pytest.mark.parametrize("kind", ["single", "pair"])
def test_good_bundle_is_read(attack: Callable[..., Path], kind: str) -> None:
    path = attack(len, kind)
    bundle = read_bundle(path)
    assert bundle.size_bytes == path.stat().st_size
    assert (bundle.head is not None) == (kind == "pair")
    assert Manifest.from_json(bundle.manifest.to_json()) == bundle.manifest


@pytest.mark.parametrize("kind", ["single", "pair"])
def test_folder_is_a_bundle(wren: Write, tmp_path: Path, kind: str) -> None:
    path = wren(kind)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "folder")
    packed, unpacked = read_bundle(path), read_bundle(str(tmp_path / "folder"))
    assert (packed.model, packed.head) == (unpacked.model, unpacked.head)
    assert packed.manifest == unpacked.manifest


def test_missing_file(tmp_path: Path, refused: Refused) -> None:
    refused(tmp_path / "none.wren", "no such file")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_not_a_bundle(tmp_path: Path, data: bytes, refused: Refused) -> None:
    path = tmp_path / "odd.wren"
    path.write_bytes(data)
    refused(path)


def test_every_truncation_is_refused(wren: Write, tmp_path: Path, refused: Refused) -> None:
    data = wren("single").read_bytes()
    path = tmp_path / "cut.wren"
    for length in [*range(0, len(data), 997), len(data) - 1]:
        path.write_bytes(data[:length])
        refused(path)


def test_no_flipped_bit_changes_a_part(wren: Write, tmp_path: Path, refused: Refused) -> None:
    good = wren("single")
    data, parts = good.read_bytes(), read_bundle(good)
    path = tmp_path / "flip.wren"
    for at in range(0, len(data), 61):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        try:
            bundle = read_bundle(path)
        except BundleError:
            refused(path)
        else:  # a zip date, say: what counts is the same
            assert (bundle.model, bundle.tokenizer_json) == (parts.model, parts.tokenizer_json)
            assert bundle.manifest == parts.manifest


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [(b"#!/bin/sh\n", b"", "not a bundle"), (b"", b"tail", "extended")],
)
def test_bytes_around_the_zip(
    wren: Write, before: bytes, after: bytes, word: str, refused: Refused
) -> None:
    path = wren("single")
    path.write_bytes(before + path.read_bytes() + after)
    refused(path, word)


def test_bytes_slipped_in_before_the_directory(wren: Write, refused: Refused) -> None:
    path = wren("single")
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02")
    path.write_bytes(data[:at] + b"hidden" + data[at:])
    refused(path, "not a plain zip")


def test_comment_on_the_zip(wren: Write, refused: Refused) -> None:
    path = wren("single")
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"hidden"
    refused(path, "extended")


@pytest.mark.parametrize(
    "name", ["../evil.py", "/etc/passwd", "a/b", "extra.txt", "MODEL.ONNX", "model.onnx.data"]
)
def test_unexpected_entry(attack: Callable[..., Path], name: str, refused: Refused) -> None:
    refused(attack(lambda entries: entries.update({name: b"x"})), "unexpected entry")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "manifest.json"])
def test_missing_entry(attack: Callable[..., Path], name: str, refused: Refused) -> None:
    refused(attack(lambda entries: entries.pop(name)), name, "missing")


def test_missing_or_surplus_head(
    attack: Callable[..., Path], parts_of: PartsOf, refused: Refused
) -> None:
    refused(attack(lambda entries: entries.pop("head.onnx"), "pair"), "head.onnx is missing")
    head = parts_of("pair")["head.onnx"]
    path = attack(lambda entries: entries.update({"head.onnx": head}))
    refused(path, "head.onnx does not belong")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_entry(tmp_path: Path, parts_of: PartsOf, make: Any, refused: Refused) -> None:
    entries = list(make.with_manifest(parts_of("single"), "single").items())
    refused(make.write_zip(tmp_path / "twice.wren", [*entries, entries[0]]), "twice")


def test_many_entries_are_refused_by_the_directory_size(
    tmp_path: Path, make: Any, refused: Refused
) -> None:
    entries = [(f"{i:05}", b"") for i in range(20_000)]
    refused(make.write_zip(tmp_path / "many.wren", entries), "too many entries")


def test_changed_part(attack: Callable[..., Path], refused: Refused) -> None:
    path = attack(lambda e: e.update({"model.onnx": e["model.onnx"][:-1] + b"\0"}))
    refused(path, "model.onnx", "damaged")


def test_zip_bomb_is_refused_before_it_unpacks(
    attack: Callable[..., Path], refused: Refused
) -> None:
    bomb = bytes(70_000_000)
    path = attack(lambda entries: entries.update({"model.onnx": bomb}), method=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    tracemalloc.start()
    refused(path, "compressed, a bundle's entries are not")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("declared", [0, 10, 2_000_000])
def test_declared_size_is_a_lie(
    attack: Callable[..., Path], declared: int, refused: Refused
) -> None:
    path = attack(len)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    while data[at + 46 :][:10] != b"model.onnx":
        at = data.index(b"PK\x01\x02", at + 4)
    struct.pack_into("<2L", data, at + 20, declared, declared)
    path.write_bytes(data)
    refused(path, "'model.onnx' is not what the directory says")


def test_reads_what_zipfile_reads(wren: Write) -> None:
    path = wren("pair")
    bundle = read_bundle(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("model.onnx") == bundle.model
        assert archive.read("head.onnx") == bundle.head
        assert archive.read("tokenizer.json").decode() == bundle.tokenizer_json


def test_huge_manifest(attack: Callable[..., Path], refused: Refused) -> None:
    path = attack(lambda entries: entries.update({"manifest.json": b" " * 1_000_001}))
    refused(path, "manifest.json claims 1,000,001 bytes")


def test_encrypted_entry(wren: Write, refused: Refused) -> None:
    path = wren("single")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    refused(path, "encrypted")


def test_file_too_large_to_be_a_bundle(wren: Write, refused: Refused) -> None:
    path = wren("single")
    os.truncate(path, 64_000_001)
    refused(path, "64,000,001 bytes")


def test_folder_with_a_surplus_file_or_link(wren: Write, tmp_path: Path, refused: Refused) -> None:
    folder = tmp_path / "folder"
    with zipfile.ZipFile(wren("single")) as archive:
        archive.extractall(folder)
    (folder / "notes.txt").write_text("hello")
    refused(folder, "unexpected entry 'notes.txt'")
    (folder / "notes.txt").unlink()
    (folder / "model.onnx").rename(tmp_path / "outside.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "outside.onnx")
    refused(folder, "model.onnx is no regular file")
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")
    refused(folder, "model.onnx is no regular file")


def test_fifo_is_no_bundle(tmp_path: Path, refused: Refused) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "neither a file nor a folder")
