"""Examples as they are read: in memory or, beyond a limit of text, in a file of the system's."""

from __future__ import annotations

import json
import tempfile
import weakref
from array import array
from collections.abc import Sequence
from threading import Lock

from codewren_runtime.errors import OptionError
from codewren_runtime.lazy import Lazy
from codewren_runtime.types import Example

__all__ = ["IN_MEMORY", "Gathering", "Picked"]

IN_MEMORY = 64_000_000  # characters of text
BUFFER = 4_000_000

NO_LABEL = -1

Texts = tuple[str, ...]


class Gathering:
    """Takes rows one by one, and gives them as examples.

    Beyond `limit` characters their texts lie in an unnamed temporary file, which goes with the
    examples. Raises OptionError in one line where that cannot be written.
    """

    def __init__(self, limit: int = IN_MEMORY) -> None:
        self._room = limit
        self._names: dict[str, int] = {}  # of labels, in the order of their first rows
        self._labels = array("l")
        self._rows: list[tuple[Texts, Texts | None]] = []
        self._texts: _Texts | None = None

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def names(self) -> set[str]:
        """The labels that rows have."""
        return set(self._names)

    def add(self, texts: Texts, original: Texts | None = None, name: str | None = None) -> None:
        """One row: its one or two texts, what it was rewritten from, the name of its label."""
        number = NO_LABEL if name is None else self._names.setdefault(name, len(self._names))
        self._labels.append(number)
        self._rows.append((texts, original))
        self._room -= sum(map(len, (*texts, *(original or ()))))
        if self._room < 0:
            self._spill()

    def examples(self, labels: Sequence[str] = ()) -> Sequence[Example]:
        """All rows; a label is its name's place in `labels`."""
        place = [*map(labels.index, self._names), NO_LABEL]
        chosen = array("l", (place[number] for number in self._labels))
        if self._texts is not None:
            self._spill()
            return _Stored(self._texts, chosen)
        return tuple(
            _example(texts, original, label)
            for (texts, original), label in zip(self._rows, chosen, strict=True)
        )

    def _spill(self) -> None:
        """Move what is in memory to the file; make room for as much again."""
        if self._texts is None:
            self._texts = _Texts()
        self._texts.write(self._rows)
        self._rows, self._room = [], BUFFER


class _Texts:
    """The texts of rows in an unnamed file, a JSON list each. Thread-safe."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="codewren-texts-")  # noqa: SIM115 - kept open
        weakref.finalize(self, self._file.close)
        self._ends = array("q", [0])
        self._lock = Lock()

    def write(self, rows: Sequence[tuple[Texts, Texts | None]]) -> None:
        try:
            for row in rows:
                size = self._file.write(json.dumps(row).encode())
                self._ends.append(self._ends[-1] + size)
            self._file.flush()
        except OSError as error:
            raise OptionError(
                f"{tempfile.gettempdir()}: no room for the texts ({error.strerror or error}); set "
                "TMPDIR to a folder of a larger disk"
            ) from error

    def read(self, row: int) -> tuple[Texts, Texts | None]:
        begin, end = self._ends[row : row + 2]
        with self._lock:
            self._file.seek(begin)
            data = self._file.read(end - begin)
        texts, original = json.loads(data)
        return tuple(texts), None if original is None else tuple(original)


class _Stored(Lazy[Example]):
    """Examples that are read when they are asked for."""

    def __init__(self, texts: _Texts, labels: Sequence[int]) -> None:
        self._texts, self._labels = texts, labels

    def __len__(self) -> int:
        return len(self._labels)

    def at(self, place: int) -> Example:
        """The row, read from the file."""
        return _example(*self._texts.read(place), self._labels[place])


class Picked(Lazy[Example]):
    """Some rows of examples, by their numbers, without a copy."""

    def __init__(self, examples: Sequence[Example], rows: Sequence[int]) -> None:
        self._examples, self._rows = examples, rows

    def __len__(self) -> int:
        return len(self._rows)

    def at(self, place: int) -> Example:
        """The row of that number."""
        return self._examples[self._rows[place]]


def _example(texts: Texts, original: Texts | None, label: int) -> Example:
    second = texts[1] if len(texts) > 1 else None
    return Example(texts[0], second, None if label == NO_LABEL else label, original)
