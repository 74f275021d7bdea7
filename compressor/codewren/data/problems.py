"""Bad rows: collected with line and remedy, then one error or a list, never silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codewren_runtime.errors import DataError

__all__ = ["BadRow", "Problem", "cannot_read", "refuse", "shown"]

SHOWN_CHARACTERS = 40


class Problem(Exception):  # noqa: N818 - not an error of the program but a row's, never leaves this package
    """What is wrong with a row, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy

    def at(self, path: Path, line: int) -> BadRow:
        """The same with its place."""
        return BadRow(path, line, self.what, self.remedy)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used; `str` of it is one line `path:line: what — remedy`."""

    path: Path
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what} — {self.remedy}"


def refuse(bad_rows: Sequence[BadRow]) -> None:
    """Raise DataError in one line if there are bad rows."""
    if not bad_rows:
        return
    more = len(bad_rows) - 1
    rest = f" (and {more:,} more bad {'row' if more == 1 else 'rows'})" if more else ""
    raise DataError(f"{bad_rows[0]}, or pass --skip-bad-rows{rest}")


def cannot_read(path: Path, error: OSError) -> DataError:
    """The error, in words, for a file that the system will not give."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{path}: no such file — check the path")
    if isinstance(error, PermissionError):
        return DataError(f"{path}: permission denied — make it readable (chmod +r)")
    return DataError(f"{path}: cannot be read ({error.strerror or error}) — give another file")


def shown(value: object) -> str:
    """A value in a message: on one line, short, printable whatever it holds."""
    if isinstance(value, str):
        return (
            repr(value) if len(value) <= SHOWN_CHARACTERS else repr(value[:SHOWN_CHARACTERS]) + "…"
        )
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = str(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
