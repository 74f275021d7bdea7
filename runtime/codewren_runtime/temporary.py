"""Temporary names beside an output: held by whoever writes, removed by who comes after a kill."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from glob import escape
from hashlib import sha256
from pathlib import Path
from typing import Literal

__all__ = ["TEMPORARY", "lock_handle", "sweep_below", "temporary_beside"]

ENDING = ".????????.tmp"
TEMPORARY = f".*{ENDING}"  # what a killed process may leave of any output
LONGEST = 255 - len(ENDING) - 1  # bytes of an output's name that a temporary one can hold

Lock = Literal["held", "another's", "unknown"]


@contextlib.contextmanager
def temporary_beside(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield an empty temporary file or folder beside `path`; what is left of it at the end goes.

    What killed processes left for the same `path` goes first: a living one holds its own by the
    operating system's lock, which goes with the process. Where there are no such locks (Windows,
    some network drives) nothing of others is touched.
    """
    for left in path.parent.glob(escape(f".{_name(path)}") + ENDING):
        with _held(left, wait=False) as lock:
            if lock == "held":
                _remove(left)
    while True:
        temporary = _made(path, folder=folder)
        with _held(temporary, wait=True):
            if temporary.exists():  # else another tidied up before it was held
                try:
                    yield temporary
                finally:
                    _remove(temporary)
                return


def sweep_below(folder: Path) -> None:
    """Remove all temporary names in and below `folder`, but those that another process holds.

    For who has the folder alone: what no lock tells of goes too.
    """
    for left in list(folder.rglob(TEMPORARY)):
        with _held(left, wait=False) as lock:
            if lock != "another's":
                _remove(left)


def _name(path: Path) -> str:
    """What a temporary name tells of an output's: all, unless there is no room for it."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= LONGEST else sha256(name).hexdigest()


def _made(path: Path, *, folder: bool) -> Path:
    prefix, suffix = f".{_name(path)}.", ".tmp"
    if folder:
        return Path(tempfile.mkdtemp(suffix, prefix, path.parent))
    handle, name = tempfile.mkstemp(suffix, prefix, path.parent)
    os.close(handle)
    return Path(name)


def _remove(path: Path) -> None:
    """Remove a temporary file or folder, if it is there and can be: left, it does no harm."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[Lock]:
    """Hold the lock of `path` if it can be had: yields who has it."""
    if sys.platform == "win32":  # its locks would keep the writer's own second handle out
        yield "unknown"
        return
    with contextlib.ExitStack() as opened:
        lock: Lock = "held"
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # it may be a pipe
            opened.callback(os.close, handle)
            lock_handle(handle, wait=wait)
        except BlockingIOError:
            lock = "another's"
        except OSError:
            lock = "unknown"
        yield lock


if sys.platform == "win32":
    import msvcrt

    def lock_handle(handle: int, *, wait: bool = False) -> None:
        """Lock an open file for this process alone; OSError where another has it."""
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def lock_handle(handle: int, *, wait: bool = False) -> None:
        """Lock an open file for this process alone; OSError where another has it."""
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
