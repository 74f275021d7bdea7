"""Read a bundle's entries from a zip or a folder, bounded in every direction.

The zip is the plainest there is: stored entries, one after the other, then the directory, and
not one byte between or around them. What is not compressed cannot grow, and what has no gaps
hides nothing. The zipfile module reads far more than that; importing it with its compressors
took 5 ms and 1 MB of a start-up of 170 ms, half of what importing this package takes.
"""

from __future__ import annotations

import os
import stat
import struct
from binascii import crc32
from collections.abc import Mapping

from codewren_runtime.errors import BundleError

__all__ = ["read_folder", "read_zip"]

Limits = Mapping[str, int]  # the most bytes of each entry, by name
Parts = tuple[dict[str, bytes], int]  # contents by name, and the bytes on disk

# Sections 4.3.7, 4.3.12 and 4.3.16 of the ZIP format's APPNOTE.
LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
MAX_NAME_BYTES = 80
ENCRYPTED, UTF8 = 0x1, 0x800


def read_zip(path: str, required: Limits, *, optional: Limits, total: int) -> Parts:
    """The entries of a zip and its size; raises BundleError unless exactly those are there."""
    try:
        data = _read_file(path, total)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        raise BundleError(_os_reason(error)) from error
    limits = {**required, **optional}
    count, at = _read_end(data, len(limits))
    directory = at
    names, parts, begin = [], dict[str, bytes](), 0
    try:
        for _ in range(count):
            name, size, offset, checksum, at = _read_central(data, at)
            names.append(name)
            if name in limits:
                _check_size(name, size, limits[name])
            if offset != begin:
                raise BundleError("not a plain zip: export it again")
            begin, parts[name] = _read_entry(data, name, size, offset, checksum)
    except struct.error as error:
        raise BundleError("damaged: copy it again, or export it again") from error
    _check_names(names, required, optional)
    if begin != directory or at != len(data) - END.size:
        raise BundleError("not a plain zip: export it again")
    return parts, len(data)


def read_folder(path: str, required: Limits, *, optional: Limits, total: int) -> Parts:
    """The files of a folder and their size; raises BundleError unless exactly those are there."""
    limits, parts = {**required, **optional}, dict[str, bytes]()
    try:
        with os.scandir(path) as entries:
            # One more than allowed is enough to see that a folder is something else.
            names = [entry.name for _, entry in zip(range(len(limits) + 1), entries, strict=False)]
        _check_names(names, required, optional)
        size = 0
        for name in sorted(names):
            parts[name] = _read_regular(os.path.join(path, name), name, limits[name])
            size += len(parts[name])
            if size > total:
                raise BundleError(f"takes more than {total:,} bytes: not a bundle")
    except OSError as error:
        raise BundleError(_os_reason(error)) from error
    return parts, size


def _read_regular(path: str, name: str, limit: int) -> bytes:
    """The bytes of a file that is no link; not waiting for one that is a pipe."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{name} is no regular file: export it again")
    _check_size(name, status.st_size, limit)
    with open(path, "rb") as stream:
        return stream.read(status.st_size)


def _read_file(path: str, total: int) -> bytes:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise BundleError("neither a file nor a folder: give a bundle")
    if status.st_size > total:
        raise BundleError(f"{status.st_size:,} bytes, a bundle has at most {total:,}")
    with open(path, "rb") as stream:
        return stream.read(status.st_size)  # a larger limit would be allocated in full


def _read_end(data: bytes, most: int) -> tuple[int, int]:
    """How many entries there are, and where their directory begins."""
    if not data:
        raise BundleError("empty: copy it again, or export it again")
    if not data.startswith(b"PK\x03\x04"):
        raise BundleError("not a bundle: give a .wren file made by compress export")
    begin = len(data) - END.size
    if begin < 0 or data[begin : begin + 4] != b"PK\x05\x06":
        raise BundleError("cut short or extended: copy it again, or export it again")
    _, disk, first_disk, here, count, length, offset, comment = END.unpack_from(data, begin)
    if disk or first_disk or comment or here != count or offset + length != begin:
        raise BundleError("not a plain zip: export it again")
    if count > most:
        raise BundleError(f"too many entries ({count:,}): not a bundle")
    return count, offset


def _read_central(data: bytes, at: int) -> tuple[str, int, int, int, int]:
    """Name, size, offset and checksum of an entry, and where the directory goes on."""
    fields = CENTRAL.unpack_from(data, at)
    signature, _, _, flags, method, _, _, checksum, packed, size, named, *rest = fields
    extra, comment, _, _, _, offset = rest
    if signature != b"PK\x01\x02" or named > MAX_NAME_BYTES:
        raise struct.error(signature)
    at += CENTRAL.size
    name = data[at : at + named].decode("utf-8", "replace")
    if flags & ENCRYPTED:
        raise BundleError(f"{name!r} is encrypted: export it again")
    if method:
        raise BundleError(f"{name!r} is compressed, a bundle's entries are not: export it again")
    if packed != size or extra or comment or flags & ~UTF8:
        raise BundleError("not a plain zip: export it again")
    return name, size, offset, checksum, at + named


def _read_entry(data: bytes, name: str, size: int, offset: int, checksum: int) -> tuple[int, bytes]:
    """Where the entry ends, and its bytes; its own header says what the directory says."""
    fields = LOCAL.unpack_from(data, offset)
    signature, _, flags, method, _, _, own_checksum, packed, own_size, named, extra = fields
    begin = offset + LOCAL.size + named
    own_name = data[offset + LOCAL.size : begin].decode("utf-8", "replace")
    same = (own_name, own_checksum, packed, own_size) == (name, checksum, size, size)
    if signature != b"PK\x03\x04" or not same or method or extra or flags & ~UTF8:
        raise BundleError(f"{name!r} is not what the directory says: copy it again")
    content = data[begin : begin + size]
    if len(content) != size or crc32(content) != checksum:
        raise BundleError(f"{name!r} is damaged: copy it again")
    return begin + size, content


def _check_names(names: list[str], required: Limits, optional: Limits) -> None:
    for name in names:
        if name not in required and name not in optional:
            raise BundleError(f"unexpected entry {name[:80]!r}: not a bundle of this version")
    if len(set(names)) != len(names):
        raise BundleError("an entry stands twice: export it again")
    for name in required:
        if name not in names:
            raise BundleError(f"{name} is missing: export it again")


def _check_size(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise BundleError(f"{name} claims {size:,} bytes, at most {limit:,} are allowed")


def _os_reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; compress export makes one"
    return f"cannot be read ({getattr(error, 'strerror', None) or error})"
