"""Labels as users write them, integers or names, to label names and indices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from codewren.data.problems import Problem, shown

__all__ = ["KnownLabels", "LabelReader", "NewLabels", "sorted_names"]

MAX_LABELS = 1000
NAMES_SHOWN = 6


def parse_label(value: Any) -> int | str:
    """A label as written, checked; raises Problem.

    `1.0` is the integer 1: pandas writes integers so when a column has gaps. `true`,
    `1.5` and `NaN` are refused rather than guessed at.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Problem(f"label is {shown(value)}", "give an integer or a name")
    if isinstance(value, str) and not (value.strip() and value.isprintable()):
        raise Problem(f"label is {shown(value)}", "give an integer or a printable name")
    return value


def _is_integer(name: str) -> bool:
    return name == "0" or (
        name.isascii() and name.removeprefix("-").isdigit() and name.lstrip("-")[0] != "0"
    )


def sorted_names(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct label names in index order: by number if all are integers, else by character."""
    distinct = set(names)
    if all(map(_is_integer, distinct)):
        return tuple(sorted(distinct, key=int))
    return tuple(sorted(distinct))


class KnownLabels:
    """Reads labels of a task whose label names are given.

    A string is a name. An integer is an index, unless all names are integers: then it is
    a name too, so that labels "-1" and "1", or "1" and "2", mean what they say.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._by_name = set(names)
        self._are_integers = all(map(_is_integer, names))

    def name(self, value: Any) -> str:
        """The name of a label as written; raises Problem if the task has no such label."""
        label = parse_label(value)
        if isinstance(label, int) and not self._are_integers and 0 <= label < len(self.names):
            return self.names[label]
        if str(label) in self._by_name and (isinstance(label, str) or self._are_integers):
            return str(label)
        if isinstance(label, int) and not self._are_integers:
            raise Problem(
                f"label {shown(label)} is out of range 0..{len(self.names) - 1}", "mend the row"
            )
        names = ", ".join(self.names[:NAMES_SHOWN]) + (
            ", …" if len(self.names) > NAMES_SHOWN else ""
        )
        raise Problem(f"label {shown(label)} is not one of {names}", "mend the row")

    def final(self, _used: Iterable[str]) -> tuple[str, ...]:
        """All names in index order."""
        return self.names


class NewLabels:
    """Reads labels whose names become known at the end: all integers or all strings."""

    def __init__(self) -> None:
        self._kind: type[int] | type[str] | None = None
        self._seen: set[str] = set()

    def name(self, value: Any) -> str:
        """The name of a label as written; raises Problem if its kind is not the first row's."""
        label = parse_label(value)
        kind = type(label)
        if self._kind not in (None, kind):
            other = "an integer" if self._kind is int else "a name"
            raise Problem(
                f"label is {shown(label)}, but {other} in rows before", "use one kind of label"
            )
        if str(label) not in self._seen and len(self._seen) == MAX_LABELS:
            raise Problem(
                f"more than {MAX_LABELS:,} different labels", "name the label's field with --label"
            )
        self._kind = kind
        self._seen.add(str(label))
        return str(label)

    def final(self, used: Iterable[str]) -> tuple[str, ...]:
        """The names that good rows use, in index order."""
        return sorted_names(used)


LabelReader = KnownLabels | NewLabels
