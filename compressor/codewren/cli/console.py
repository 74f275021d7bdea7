"""How the command line talks: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codewren.progress import Bar, Reporter, Silent
from codewren.ranks import is_first

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["Output", "printable"]

QUIET_SECONDS = 20.0


def printable(text: str) -> str:
    """Without what steers a terminal: file names and code are other people's.

    Bytes of a file name that are no UTF-8 stay, for the stream to escape.
    """
    return "".join(
        c if c.isprintable() or c in "\n\t" or "\ud800" <= c <= "\udfff" else "�" for c in text
    )


class RichReporter:
    """Progress bars with the time left, on a terminal's stderr."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Bar]:
        """A bar that stays when done."""
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
        self.console.print(printable(line), markup=False, soft_wrap=True)


class _RichBar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress, self.task = progress, task

    def advance(self, count: int = 1, note: str = "") -> None:
        """Move on; an empty note keeps the last."""
        self.progress.update(self.task, advance=count)
        if note:
            self.progress.update(self.task, note=note)


class LineReporter:
    """Where stderr is no terminal: a line now and then, and one when a step is done."""

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Bar]:
        """Lines of one step; one that fails says nothing, the error does."""
        bar = _LineBar(self, title, total)
        yield bar
        self.say(f"{title}: {bar.done} of {total} in {bar.elapsed:.1f} s  {bar.note}".rstrip())

    def say(self, line: str) -> None:
        """One line, as it is."""
        sys.stderr.write(f"{printable(line)}\n")
        sys.stderr.flush()


class _LineBar:
    def __init__(self, reporter: LineReporter, title: str, total: int) -> None:
        self.reporter, self.title, self.total = reporter, title, total
        self.done, self.note = 0, ""
        self._begin = self._said = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._begin

    def advance(self, count: int = 1, note: str = "") -> None:
        """Move on; a line with the time left every QUIET_SECONDS."""
        self.done, self.note = self.done + count, note or self.note
        if time.monotonic() - self._said >= QUIET_SECONDS and 0 < self.done < self.total:
            left = self.elapsed * (self.total - self.done) / self.done
            state = f"{self.title}: {self.done} of {self.total}, {left:.0f} s left  {self.note}"
            self.reporter.say(state.rstrip())
            self._said = time.monotonic()


@dataclass(frozen=True)
class Output:
    """What `--json` and `--quiet` decide: results go to stdout, all else to stderr."""

    json: bool = False
    quiet: bool = False

    def reporter(self) -> Reporter:
        """Bars, or silence."""
        if self.quiet or not is_first():
            return Silent()
        return RichReporter() if sys.stderr.isatty() else LineReporter()

    def result(self, data: Mapping[str, Any] | Sequence[Any]) -> bool:
        """Print `data` as JSON if asked to; whether it was."""
        if self.json:
            ascii_only = sys.stdout.encoding.lower() not in ("utf-8", "utf8")
            sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=ascii_only) + "\n")
        return self.json

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        texts: Collection[str] = (),
    ) -> None:
        """A table on stdout, even with `--quiet`: it is the answer.

        The first column and those in `texts` begin at the left. Cells are shown as they are.
        """
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(title), title_justify="left")
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 or column in texts else "right")
        for row in rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._stdout().print(table)

    def line(self, text: str) -> None:
        """A line of the answer on stdout."""
        self._stdout().print(printable(text), markup=False, soft_wrap=True)

    def _stdout(self) -> Console:
        from rich.console import Console

        # In a pipe rich would assume 80 columns and fold the table.
        width = None if sys.stdout.isatty() else 120
        return Console(highlight=False, width=width)
