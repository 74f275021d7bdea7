"""Write a bundle: the same parts always give the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from codewren_runtime.bundle import MANIFEST, FileInfo
from codewren_runtime.files import canonical_json

__all__ = ["file_infos", "pack"]

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold
UNIX = 3
PLAIN_FILE = 0o100644 << 16


def file_infos(parts: Mapping[str, bytes]) -> dict[str, FileInfo]:
    """What the manifest's `files` says of the parts."""
    return {name: FileInfo.of(data) for name, data in sorted(parts.items())}


def pack(manifest: Mapping[str, object], parts: Mapping[str, bytes]) -> bytes:
    """The bytes of a `.wren` file: a zip of `parts` and `manifest.json`, stored, by name.

    Stored, not deflated: int8 weights shrink by 7 % only, and compressed bytes differ from
    one zlib to the next.
    """
    entries = {**parts, MANIFEST: canonical_json(manifest)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = UNIX
            info.external_attr = PLAIN_FILE
            archive.writestr(info, entries[name])
    return buffer.getvalue()
