"""Bundles that are wrong in one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewren_runtime import BundleError, load

from ..hand_made import Parts, head_onnx, manifest_of, text_onnx, with_manifest, write_zip


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
