"""What a bundle has answered before, on disk: safe to share, to kill and to delete."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

__all__ = ["MAX_BYTES", "Cache", "NoCache"]

FILE = "scan.sqlite"
MAX_BYTES = 256_000_000
BUSY_SECONDS = 5.0
WRITE_SECONDS, MAX_PENDING = 1.0, 1_000
_CHECK = 8
_TABLE = "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, value BLOB NOT NULL)"


class NoCache:
    """Remembers nothing."""

    def get(self, key: bytes) -> bytes | None:  # noqa: ARG002
        """Nothing."""
        return None

    def put(self, key: bytes, value: bytes) -> None:
        """Forget."""


class Cache(NoCache):
    """Byte strings by byte strings, in SQLite. Thread-safe; several processes may share it.

    A context manager: what was put is written every WRITE_SECONDS and at the end, so that a
    killed process loses a second's work. A value that does not have the hash it was stored with
    is forgotten, a file that SQLite finds damaged is discarded; where nothing can be written
    nothing is remembered. `say` is told of the last two. Over `max_bytes` the older half goes.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], object], max_bytes: int = MAX_BYTES
    ) -> None:
        self._path, self._say, self._max_bytes = folder / FILE, say, max_bytes
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._pending: dict[bytes, bytes] = {}
        self._written = time.monotonic()
        self._open(folder)

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._write()
            with self._bearing():
                self._trim()
            self._close()

    def get(self, key: bytes) -> bytes | None:
        """What was last put there, or None."""
        with self._lock:
            if (pending := self._pending.get(key)) is not None:
                return pending
            with self._bearing():
                query = "SELECT value FROM answers WHERE key = ?"
                for (stored,) in self._execute(query, (key,)):
                    check, value = stored[:_CHECK], stored[_CHECK:]
                    return value if _checksum(key, value) == check else None
        return None

    def put(self, key: bytes, value: bytes) -> None:
        """Remember `value`."""
        with self._lock:
            self._pending[key] = value
            late = time.monotonic() - self._written >= WRITE_SECONDS
            if late or len(self._pending) >= MAX_PENDING:
                self._write()

    def _write(self) -> None:
        """One short transaction, so that no other process waits long; forgotten if it fails."""
        with self._bearing():
            for key, value in self._pending.items():
                row = (key, _checksum(key, value) + value)
                self._execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", row)
            if self._connection is not None:
                self._connection.commit()
        self._pending.clear()
        self._written = time.monotonic()

    def _execute(self, statement: str, values: tuple[bytes, ...] = ()) -> list[tuple[Any, ...]]:
        if self._connection is None:
            return []
        return self._connection.execute(statement, values).fetchall()

    def _open(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _connect(self._path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:
                self._discard()
        except (OSError, sqlite3.Error) as error:
            self._connection = None
            self._say(f"{self._path}: cannot be used, nothing will be remembered ({error})")

    def _discard(self) -> None:
        """Begin anew with an empty file."""
        self._say(f"{self._path}: is damaged; it is discarded")
        self._close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        self._connection = _connect(self._path)

    def _close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _bearing(self) -> Iterator[None]:
        """A busy, full or read-only file is borne; a damaged one is discarded."""
        try:
            yield
        except sqlite3.OperationalError:
            if self._connection is not None:
                self._connection.rollback()
        except sqlite3.DatabaseError:
            try:
                self._discard()
            except (OSError, sqlite3.Error):
                self._close()

    def _trim(self) -> None:
        sizes = [self._execute(f"PRAGMA {what}") for what in ("page_count", "page_size")]
        if not all(sizes) or sizes[0][0][0] * sizes[1][0][0] <= self._max_bytes:
            return
        middle = "(SELECT (min(rowid) + max(rowid)) / 2 FROM answers)"
        self._execute(f"DELETE FROM answers WHERE rowid <= {middle}")
        if self._connection is not None:
            self._connection.commit()
        self._execute("PRAGMA incremental_vacuum")
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        for pragma in ("auto_vacuum = INCREMENTAL", "journal_mode = WAL", "synchronous = NORMAL"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute(_TABLE)
        connection.commit()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _checksum(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=_CHECK, key=key[:64]).digest()
