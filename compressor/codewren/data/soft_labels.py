"""Soft labels that some model or service made, as JSON lines, joined to the rows of a data set.

A row is `{"id": …, "logits": […]}` or `{"sha256": …, "probabilities": {"safe": 0.9, …}}`: values
in label order, or by label name. It needs `codewren_distill.soft_labels`, hence the extra.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren.data.dataset import Dataset
from codewren.data.problems import BadRow, Problem, shown
from codewren.data.rows import id_in, parse_row
from codewren.data.stream import open_lines
from codewren_distill.soft_labels import example_key
from codewren_runtime.errors import DataError

__all__ = ["FLOOR", "read_soft_labels"]

FLOOR = 1e-6  # a probability counts as at least this: the log of 0 is no logit
SUM_TOLERANCE = 0.01  # probabilities written with two digits
MEND = "mend the row"

Logits = NDArray[np.float32]


def read_soft_labels(
    path: Path, data: Dataset, labels: Sequence[str], *, whole: Dataset | None = None
) -> Logits:
    """Logits (examples, labels) of `data` from a file of JSON lines (gzip accepted).

    Rows are joined by `data.ids` where ids were read, else by the content's sha256, which is
    `example_key`. A soft label must be for a row of `whole`, the set that `data` is a sample of
    (itself by default). Raises DataError in one line for the first row of either file that
    cannot be used: no soft label, one for no row, other labels, no numbers, no distribution.
    """
    keys, whole = _keys(data), whole or data
    field = "id" if data.ids else "sha256"
    known, found = set(_keys(whole)), dict[str, Logits]()
    with open_lines(path) as lines:
        for number, line in lines:
            try:
                row = parse_row(line)
                key = _key(row, field, known, whole.path)
                _add(found, key, _logits(row, labels))
            except Problem as problem:
                raise DataError(str(problem.at(path, number))) from problem
    for key, number in zip(keys, data.lines, strict=True):
        if key not in found:
            what = f"{field} {shown(key) if data.ids else key} has no soft label in {path}"
            raise DataError(str(BadRow(data.path, number, what, "label the row or remove it")))
    _refuse_contradictions(data, keys, found)
    return np.stack([found[key] for key in keys])


def _keys(data: Dataset) -> Sequence[str]:
    return data.ids or [example_key(example).hex() for example in data.examples]


def _key(row: dict[str, Any], field: str, known: set[str], data: Path) -> str:
    key = id_in(row, field, "rows are joined by sha256, or with --id by their id")
    if key not in known:
        what = f"{field} {shown(key)} is no row of {data}"
        raise Problem(what, "remove the soft label, or give the data that it was made for")
    return key


def _add(found: dict[str, Logits], key: str, logits: Logits) -> None:
    if not np.array_equal(found.setdefault(key, logits), logits):
        raise Problem(f"{shown(key)} occurs twice with different values", "keep one of them")


def _refuse_contradictions(data: Dataset, keys: Sequence[str], found: dict[str, Logits]) -> None:
    """Students are taught by content: the same code cannot have two answers."""
    first: dict[bytes, tuple[int, str]] = {}
    for example, key, number in zip(data.examples, keys, data.lines, strict=True):
        line, other = first.setdefault(example_key(example), (number, key))
        if other != key and not np.array_equal(found[other], found[key]):
            what = f"holds the code of line {line} with another soft label"
            raise DataError(str(BadRow(data.path, number, what, "keep one of the two rows")))


def _logits(row: Mapping[str, Any], labels: Sequence[str]) -> Logits:
    """The logits of a row; those of probabilities p are log max(p, FLOOR)."""
    given = [kind for kind in ("logits", "probabilities") if kind in row]
    if len(given) != 1:
        what = "has both logits and probabilities" if given else "has no logits or probabilities"
        raise Problem(what, "give one of the two")
    values = _values(row, given[0], labels)
    return np.asarray(_log(values) if given[0] == "probabilities" else values, dtype=np.float32)


def _values(row: Mapping[str, Any], name: str, labels: Sequence[str]) -> list[float]:
    given = row[name]
    if isinstance(given, dict):
        if set(given) != set(labels):
            raise Problem(
                f"{name} are of {_names(sorted(given))}, the task's labels are {_names(labels)}",
                "use the task's label names",
            )
        given = [given[label] for label in labels]
    if not isinstance(given, list):
        raise Problem(f"{name} are {shown(given)}", "give a list or an object by label name")
    if len(given) != len(labels):
        raise Problem(
            f"{len(given)} {name} for {len(labels)} labels ({_names(labels)})",
            "give one per label, in this order",
        )
    return [_number(value, name) for value in given]


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Problem(f"{name} hold {shown(value)}, not a number", MEND)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not abs(number) <= float(np.finfo(np.float32).max):
        raise Problem(f"{name} hold {shown(value)}, which is not finite", "mend the teacher")
    return number


def _log(probabilities: list[float]) -> list[float]:
    if min(probabilities) < 0 or max(probabilities) > 1 + SUM_TOLERANCE:
        raise Problem("probabilities are not between 0 and 1", "give logits as logits")
    if abs(sum(probabilities) - 1) > SUM_TOLERANCE:
        raise Problem(f"probabilities sum to {sum(probabilities):.4g}, not to 1", "normalise them")
    return [math.log(max(value, FLOOR)) for value in probabilities]


def _names(labels: Sequence[str]) -> str:
    return ", ".join(map(shown, labels))
