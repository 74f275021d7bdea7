"""Temporary names beside an output: held by whoever writes, removed by who comes after a kill."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from glob import escape
from pathlib import Path

__all__ = ["TEMPORARY", "lock_handle", "remove", "temporary_beside"]

ENDING = ".????????.tmp"
TEMPORARY = f".*{ENDING}"  # what a killed process may leave of any output


@contextlib.contextmanager
def temporary_beside(path: Path, *, folder: bool = False) -> Iterator[Path]:
    """Yield an empty temporary file or folder beside `path`; what is left of it at the end goes.

    What killed processes left for the same `path` goes first: a living one holds its own by the
    operating system's lock, which goes with the process. Where there are no such locks (Windows,
    some network drives) nothing of others is touched.
    """
    for left in path.parent.glob(escape(f".{path.name}") + ENDING):
        with _held(left, wait=False) as is_mine:
            if is_mine:
                remove(left)
    while True:
        temporary = _made(path, folder=folder)
        with _held(temporary, wait=True):
            if temporary.exists():  # else another tidied up before it was held
                try:
                    yield temporary
                finally:
                    remove(temporary)
                return


def _made(path: Path, *, folder: bool) -> Path:
    prefix, suffix = f".{path.name}.", ".tmp"
    if folder:
        return Path(tempfile.mkdtemp(suffix, prefix, path.parent))
    handle, name = tempfile.mkstemp(suffix, prefix, path.parent)
    os.close(handle)
    return Path(name)


def remove(path: Path) -> None:
    """Remove a temporary file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold the lock of `path` if it can be had: yields whether it is held."""
    if sys.platform == "win32":  # its locks would keep the writer's own second handle out
        yield False
        return
    with contextlib.ExitStack() as opened:
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # it may be a pipe
            opened.callback(os.close, handle)
            lock_handle(handle, wait=wait)
        except OSError:
            yield False
        else:
            yield True


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
