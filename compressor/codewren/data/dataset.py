"""What a reader hands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from codewren.data.problems import BadRow
from codewren.data.store import Picked
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example, Normalisation, Task, TaskKind

__all__ = ["Dataset", "evenly"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples in the order of the file, at least one; of large files they lie on disk.

    `lines` has the line (from 1) of each example in its file. `labels` are the names of the
    labels in index order: those given, or those found; empty if none were read. `sha256`
    names the files' bytes together with how they were read (fields, label names), so that
    a step that is keyed by it runs again when another field is read. `bad_rows` were skipped.
    `ids` are the rows' own names where a field of them was read, else empty.
    """

    examples: Sequence[Example]
    lines: tuple[int, ...]
    path: Path
    sha256: str
    labels: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    ids: tuple[str, ...] = ()

    def picked(self, rows: Sequence[int], sha256: str) -> Dataset:
        """Some rows of it, by their numbers, without a copy of their texts."""
        return replace(
            self,
            examples=Picked(self.examples, rows),
            lines=tuple(self.lines[i] for i in rows),
            ids=tuple(self.ids[i] for i in rows if self.ids),
            sha256=sha256,
        )

    def task(self, name: str, kind: TaskKind, normalisation: Normalisation) -> Task:
        """The task of these labels; DataError where all rows have the same one."""
        if kind != "embedding" and len(self.labels) < 2:
            raise DataError(
                f"{self.path}: all rows have the label {', '.join(self.labels)} — give rows of at "
                "least two labels, or name all of them with --labels"
            )
        return Task(name, kind, self.labels, normalisation)


def evenly(count: int, wanted: int | None) -> list[int]:
    """`wanted` numbers below `count`, evenly spread; all of them for None or too many."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return [place * count // wanted for place in range(wanted)]
