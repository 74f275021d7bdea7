"""Reading and writing files so that nothing half-written is ever believed.

Every output is written to a temporary name in the same folder and renamed;
JSON is written last in each step, so its existence means that the step completed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from codewren_runtime.errors import OptionError
from codewren_runtime.temporary import temporary_beside

__all__ = [
    "ESCAPED",
    "atomic_path",
    "canonical_json",
    "file_sha256",
    "read_json",
    "read_small",
    "sha256_of",
    "write_bytes",
    "write_json",
]

SCHEMA = 1
DEVICES = Path("/dev")
MAX_SMALL_BYTES = 100_000_000
# Of a file name that is no UTF-8, halves of characters: \\udcff, which is JSON's own escape.
ESCAPED = "backslashreplace"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the name, on failure it goes.

    Raises OptionError in one line where the folder cannot be made, or the file not be written:
    a full disk, say, or a folder that has the name; and for a device or a pipe, which a file would
    take the place of, for good and for all.
    """
    with contextlib.ExitStack() as stack:
        try:
            if _is_device(path):
                raise OptionError(f"{path}: is a device or a pipe; give the name of a file")
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = stack.enter_context(temporary_beside(path))
        except OSError as error:
            raise OptionError(
                f"{path}: cannot write there ({error.strerror}); choose another folder"
            ) from error
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        except OSError as error:
            raise OptionError(
                f"{path}: cannot be written ({error.strerror or error}); what was there before "
                "stays"
            ) from error


def _is_device(path: Path) -> bool:
    """Whether the name is no file's or folder's; `/dev/stdout` links to what may be a file."""
    if path.absolute().parent == DEVICES:
        return True
    return path.exists() and not path.is_file() and not path.is_dir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write `data` with the schema number in front, atomically and readable by people."""
    text = json.dumps({"schema": SCHEMA, **data}, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode("utf-8", ESCAPED))


def read_small(path: Path) -> bytes:
    """The bytes of a file that people write: a recipe, say, and no endless device.

    Raises OptionError in one line where there is none, or over `MAX_SMALL_BYTES`.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_SMALL_BYTES + 1)
    except FileNotFoundError as error:
        raise OptionError(f"{path}: no such file") from error
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(data) > MAX_SMALL_BYTES:
        raise OptionError(f"{path}: over {MAX_SMALL_BYTES // 1_000_000} MB; give another file")
    return data


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote, without the schema number.

    Raises OptionError where the file is missing, is no JSON object or has another schema.
    """
    try:
        data = json.loads(read_small(path))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: is not JSON ({error})") from error
    if not isinstance(data, dict):
        raise OptionError(f"{path}: expected a JSON object")
    if data.pop("schema", None) != SCHEMA:
        raise OptionError(
            f"{path}: another schema than {SCHEMA}; made by another version, make it again"
        )
    return data


def canonical_json(data: Any) -> bytes:
    """The one byte string of a JSON value: sorted keys, no spaces, UTF-8."""
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", ESCAPED)


def sha256_of(data: Any) -> str:
    """sha256 (hex) of bytes, or of the canonical JSON of any other value."""
    return hashlib.sha256(data if isinstance(data, bytes) else canonical_json(data)).hexdigest()


def file_sha256(path: Path, report: Callable[[int], None] | None = None) -> str:
    """sha256 (hex) of a file's bytes; of a folder: of its files' relative names and hashes."""
    if path.is_dir():
        parts = sorted(p for p in path.rglob("*") if p.is_file())
        return sha256_of({str(p.relative_to(path)): file_sha256(p) for p in parts})
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            if report is not None:
                report(len(block))
    return digest.hexdigest()
