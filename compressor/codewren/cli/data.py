"""From the data options of a verb to a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codewren_runtime.errors import OptionError

if TYPE_CHECKING:
    from codewren.data import Dataset, Fields
    from codewren.progress import Reporter
    from codewren_runtime.types import Task

__all__ = ["DataFlags", "check_kind", "fields_of", "read"]

SHOWN = 5


@dataclass(frozen=True, slots=True)
class DataFlags:
    """The data options as given; `label` None reads no labels, `optional` those that are there."""

    text: str
    label: str | None
    text1: str | None = None
    text2: str | None = None
    id1: str | None = None
    id2: str | None = None
    functions: Path | None = None
    labels: tuple[str, ...] | None = None
    skip_bad_rows: bool = False
    id: str | None = None
    optional: bool = False

    @property
    def pair(self) -> bool:
        """Whether the options describe pairs."""
        return self.text1 is not None or self.id1 is not None


def fields_of(flags: DataFlags) -> Fields:
    """Which field of a row holds what; OptionError for half a pair."""
    from codewren.data import Fields

    return Fields(
        text=flags.text,
        label=flags.label,
        text1=flags.text1,
        text2=flags.text2,
        id1=flags.id1,
        id2=flags.id2,
        functions=flags.functions,
        id=flags.id,
    )


def check_kind(flags: DataFlags, model: Path, task: Task) -> None:
    """OptionError where `model` judges pairs and the options describe none, or the reverse."""
    if flags.pair and task.kind == "single":
        raise OptionError(
            f"{model}: judges one code at a time; name its field with --text, and no pairs"
        )
    if not flags.pair and task.kind == "pair":
        raise OptionError(
            f"{model}: compares two codes; name their fields with --text1 and --text2, or "
            "--id1, --id2 and --functions"
        )


def read(path: Path, flags: DataFlags, reporter: Reporter) -> Dataset:
    """The data set; bad rows are an error, or reported where they may be skipped."""
    from codewren.data import read_examples

    data = read_examples(
        path,
        fields_of(flags),
        flags.labels,
        require_label=flags.label is not None and not flags.optional,
        skip_bad_rows=flags.skip_bad_rows,
    )
    for bad in data.bad_rows[:SHOWN]:
        reporter.say(f"skipped {bad}")
    if len(data.bad_rows) > SHOWN:
        reporter.say(f"skipped {len(data.bad_rows) - SHOWN} more bad rows of {path}")
    return data
