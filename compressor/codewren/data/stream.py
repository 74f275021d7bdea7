"""Lines of a file, plain or gzip, read once: bounded in memory, hashed on the way."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from codewren.data.problems import cannot_read
from codewren_runtime.errors import DataError

__all__ = ["MAX_LINE_BYTES", "Lines", "open_lines"]

MAX_LINE_BYTES = 50_000_000
HEAD_BYTES = 8192
BUFFER_BYTES = 1 << 20

GZIP = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class _Hashed(io.RawIOBase):
    """A file that takes the hash of what is read: pipes can be read once only."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self.file.read(len(buffer))
        self.digest.update(block)
        buffer[: len(block)] = block
        return len(block)


class Lines:
    """Iterate once for (line number from 1, its bytes, or None if over MAX_LINE_BYTES).

    Blank lines are passed over. Raises DataError for a damaged gzip or a file of another kind.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self._raw = _Hashed(file)

    @property
    def sha256(self) -> str:
        """sha256 (hex) of the file's bytes; call it after the last line."""
        return self._raw.digest.hexdigest()

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        try:
            yield from self._lines(self._open())
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(
                f"{self.path}: the gzip is damaged ({error}) — copy or download it again"
            ) from error
        except OSError as error:
            raise cannot_read(self.path, error) from error

    def _open(self) -> io.BufferedReader:
        """The text's bytes; a file of another kind is told at once, not row by row."""
        stream: io.BufferedReader = io.BufferedReader(cast(io.RawIOBase, self._raw), BUFFER_BYTES)
        if stream.peek(2)[:2] == GZIP:
            unzipped = cast(io.RawIOBase, gzip.GzipFile(fileobj=stream))
            stream = io.BufferedReader(unzipped, BUFFER_BYTES)
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
        if head.startswith(UTF16_BOMS):
            raise DataError(f"{self.path}: is UTF-16 text — save it as UTF-8")
        if b"\0" in head:
            raise DataError(f"{self.path}: is a binary file — expected JSON lines (gzip accepted)")
        return stream

    @staticmethod
    def _lines(stream: io.BufferedReader) -> Iterator[tuple[int, bytes | None]]:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES + 1):
            number += 1
            if number == 1:
                line = line.removeprefix(UTF8_BOM)
            if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
                while (part := stream.readline(BUFFER_BYTES)) and not part.endswith(b"\n"):
                    pass  # to the end of the line, without keeping it
                yield number, None
            elif line.strip():
                yield number, line


@contextmanager
def open_lines(path: Path) -> Iterator[Lines]:
    """The lines of a file; DataError in one line if it is missing, a folder or not readable."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder — expected a file of JSON lines")
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise cannot_read(path, error) from error
    with file:
        yield Lines(path, file)
