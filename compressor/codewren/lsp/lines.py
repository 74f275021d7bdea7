"""Lines and columns as the Language Server Protocol counts them.

A line ends at a line feed, a carriage return or both together, and nowhere else: a form feed or
a U+2028 stands inside a line. A column counts UTF-16 code units, so a character beyond U+FFFF
is two columns wide; a lone surrogate is one.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

__all__ = ["LineIndex", "Place"]

Place = tuple[int, int]  # line and column, both from 0

_END = re.compile(r"\r\n|\r|\n")
_WIDE = re.compile("[\U00010000-\U0010ffff]")


class LineIndex:
    """Turns offsets of one text into lines and columns, and back. Immutable."""

    def __init__(self, text: str) -> None:
        ends = [match.span() for match in _END.finditer(text)]
        self._starts = [0, *(after for _, after in ends)]
        self._ends = [*(before for before, _ in ends), len(text)]
        self._wide = [] if text.isascii() else [m.start() for m in _WIDE.finditer(text)]
        self._wide_units = [offset + before for before, offset in enumerate(self._wide)]

    def place(self, offset: int) -> Place:
        """Line and column of the character at `offset`, at most the text's length."""
        line = bisect_right(self._starts, offset) - 1
        return line, self._units(offset) - self._units(self._starts[line])

    def offset(self, line: int, column: int) -> int:
        """Offset of a place; past the end of a line, or of the text, it is that end.

        A column in the middle of a wide character is the column before it.
        """
        if line >= len(self._starts):
            return self._ends[-1]
        units = self._units(self._starts[line]) + column
        before = bisect_left(self._wide_units, units)
        offset = units - before
        if before and self._wide_units[before - 1] == units - 1:
            offset = self._wide[before - 1]
        return min(offset, self._ends[line])

    def line_end(self, offset: int) -> int:
        """Offset at which the line of the character at `offset` ends, its line feed left out."""
        return self._ends[bisect_right(self._starts, offset) - 1]

    def _units(self, offset: int) -> int:
        return offset + bisect_left(self._wide, offset)
