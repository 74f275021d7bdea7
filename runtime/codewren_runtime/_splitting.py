"""Where to cut a text that is longer than the window, so that little syntax is torn."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["best_cut"]


def best_cut(text: str, ends: Sequence[int]) -> int:
    """The last of the places `ends` of normalised code that tears the least.

    Best is a line's end after a block (`}` or `;`, or before a line less indented), then any
    line's end, then what closes a block or a statement within a line, then white space.
    `ends` are offsets in `text`, ascending, each with a character before and after it.
    """
    return max(ends, key=lambda at: (_neutrality(text, at), at))


def _neutrality(text: str, at: int) -> int:
    before, after = text[at - 1], text[at]
    if after == "\n":
        return 4 if before in "};" or _is_dedent(text, at) else 3
    if before in "};":
        return 2
    return 1 if before.isspace() or after.isspace() else 0


def _is_dedent(text: str, end: int) -> bool:
    """Whether the line after the one that ends at `end` is less indented."""
    begin = text.rfind("\n", 0, end) + 1
    return _indentation(text, end + 1) < _indentation(text, begin)


def _indentation(text: str, at: int) -> int:
    begin = at
    while at < len(text) and text[at] == " ":
        at += 1
    return at - begin
