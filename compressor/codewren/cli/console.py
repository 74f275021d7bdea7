"""How the command line talks: bars and tables on stderr's side, JSON on stdout's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codewren.progress import Bar, Reporter, Silent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["Output", "RichReporter"]


class RichReporter:
    """Progress bars with the time left, on stderr; in a pipe, one line per step."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Bar]:
        """A bar; when done, one line that stays."""
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console) as progress:
            yield _RichBar(progress, progress.add_task(title, total=total, note=""))

    def say(self, line: str) -> None:
        """One line, as it is."""
        self.console.print(line, markup=False, soft_wrap=True)


class _RichBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress, self.task = progress, task

    def advance(self, count: int = 1, note: str = "") -> None:
        """Move on; an empty note keeps the last."""
        self.progress.update(self.task, advance=count)
        if note:
            self.progress.update(self.task, note=note)


@dataclass(frozen=True)
class Output:
    """What `--json` and `--quiet` decide: results go to stdout, all else to stderr."""

    json: bool = False
    quiet: bool = False

    def reporter(self) -> Reporter:
        """Bars, or silence."""
        return Silent() if self.quiet else RichReporter()

    def result(self, data: Mapping[str, Any] | Sequence[Any]) -> bool:
        """Print `data` as JSON if asked to; whether it was."""
        if self.json:
            sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
        return self.json

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout, even with `--quiet`: it is the answer."""
        from rich.table import Table

        table = Table(title=title, title_justify="left")
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*row)
        self._stdout().print(table)

    def line(self, text: str) -> None:
        """A line of the answer on stdout."""
        self._stdout().print(text, markup=False, soft_wrap=True)

    def _stdout(self) -> Console:
        from rich.console import Console

        # In a pipe rich would assume 80 columns and fold the table.
        width = None if sys.stdout.isatty() else 120
        return Console(highlight=False, width=width)
