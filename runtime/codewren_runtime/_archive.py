"""Read a bundle's entries from a zip or a folder, bounded in every direction."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from codewren_runtime.errors import BundleError

__all__ = ["read_folder", "read_zip"]

Limits = Mapping[str, int]  # the most bytes of each entry, by name
Parts = tuple[dict[str, bytes], int]  # contents by name, and the bytes on disk

END = struct.Struct("<4s4H2LH")  # the zip's end-of-central-directory record
ZIP64_LOCATOR_BYTES = 20
MAX_DIRECTORY_BYTES = 4_096
ENCRYPTED = 0x1
# What zipfile raises on hostile input besides its own error.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def read_zip(path: Path, required: Limits, *, optional: Limits, total: int) -> Parts:
    """The entries of a zip and its size; raises BundleError unless exactly those are there."""
    try:
        data = _read_file(path, total)
        _check_end(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_names([info.filename for info in infos], required, optional)
            _check_sizes(
                {info.filename: info.file_size for info in infos}, {**required, **optional}, total
            )
            return {info.filename: _read_entry(archive, info) for info in infos}, len(data)
    except OSError as error:
        raise BundleError(_os_reason(error)) from error
    except ZIP_ERRORS as error:
        raise BundleError("damaged: copy it again, or export it again") from error


def read_folder(path: Path, required: Limits, *, optional: Limits, total: int) -> Parts:
    """The files of a folder and their size; raises BundleError unless exactly those are there."""
    try:
        # One more than allowed is enough to see that a folder is something else.
        most = len(required) + len(optional) + 1
        files = [file for _, file in zip(range(most), path.iterdir(), strict=False)]
        _check_names([file.name for file in files], required, optional)
        for file in files:
            if not stat.S_ISREG(file.lstat().st_mode):
                raise BundleError(f"{file.name} is no regular file: export it again")
        sizes = {file.name: file.lstat().st_size for file in files}
        _check_sizes(sizes, {**required, **optional}, total)
        parts = {}
        for file in sorted(files):
            with file.open("rb") as stream:
                parts[file.name] = stream.read(sizes[file.name])
    except OSError as error:
        raise BundleError(_os_reason(error)) from error
    return parts, sum(sizes.values())


def _read_file(path: Path, total: int) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise BundleError("neither a file nor a folder: give a bundle")
    if status.st_size > total:
        raise BundleError(f"{status.st_size:,} bytes, a bundle has at most {total:,}")
    with path.open("rb") as stream:
        return stream.read(status.st_size)  # a larger limit would be allocated in full


def _check_end(data: bytes) -> None:
    """Hold the zip's last record to its plainest form, which bounds all that zipfile reads."""
    if not data:
        raise BundleError("empty: copy it again, or export it again")
    if not data.startswith(b"PK\x03\x04"):
        raise BundleError("not a bundle: give a .wren file made by compress export")
    begin = len(data) - END.size
    if begin < 0 or data[begin : begin + 4] != b"PK\x05\x06":
        raise BundleError("cut short or extended: copy it again, or export it again")
    _, disk, first_disk, _, _, length, offset, comment = END.unpack(data[begin:])
    zip64 = data[max(0, begin - ZIP64_LOCATOR_BYTES) :].startswith(b"PK\x06\x07")
    if disk or first_disk or comment or zip64 or offset + length != begin:
        raise BundleError("not a plain zip: export it again")
    if length > MAX_DIRECTORY_BYTES:
        raise BundleError("too many entries: not a bundle")


def _check_names(names: list[str], required: Limits, optional: Limits) -> None:
    for name in names:
        if name not in required and name not in optional:
            raise BundleError(f"unexpected entry {name[:80]!r}: not a bundle of this version")
    if len(set(names)) != len(names):
        raise BundleError("an entry stands twice: export it again")
    for name in required:
        if name not in names:
            raise BundleError(f"{name} is missing: export it again")


def _check_sizes(sizes: Mapping[str, int], limits: Limits, total: int) -> None:
    for name, size in sizes.items():
        if size > limits[name]:
            raise BundleError(f"{name} claims {size:,} bytes, at most {limits[name]:,} are allowed")
    if sum(sizes.values()) > total:
        raise BundleError(f"unpacks to more than {total:,} bytes: not a bundle")


def _read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.flag_bits & ENCRYPTED:
        raise BundleError(f"{info.filename} is encrypted: export it again")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{info.filename} is packed in an unknown way: export it again")
    with archive.open(info) as stream:
        data = stream.read(info.file_size)
        # Reading up to the end makes zipfile compare the checksum.
        if len(data) != info.file_size or stream.read(1):
            raise BundleError(f"{info.filename} has not its declared size: copy it again")
    return data


def _os_reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; compress export makes one"
    return f"cannot be read ({error.strerror or error})"
