"""Where substitutes come from: a file of them, the model's own tokens, or a language model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codewren.data import Dataset, Fields
from codewren.data.jsonl import raw_rows, raw_rows_of
from codewren.data.problems import shown
from codewren.rewriting import Code
from codewren_runtime.errors import DataError

__all__ = ["Source", "accepted", "from_file"]

MOST = 60  # substitutes of a name
_TOKENISED = re.compile(r"\s+")

# Substitutes for the local names of a row's text; the row by its number in the data.
Source = Callable[[int, Code], Mapping[str, Sequence[str]]]


def accepted(code: Code, options: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Those that may be given to the names they are for, in their order, each once."""
    found = {}
    for name in code.names:
        clean = (_TOKENISED.sub("", option) for option in options.get(name, ()))
        found[name] = [option for option in dict.fromkeys(clean) if code.accepts(option)][:MOST]
    return {name: names for name, names in found.items() if names}


def from_file(path: Path, data: Dataset, field: str, fields: Fields) -> Source:
    """Substitutes of JSON lines `{"idx": …, "substitutes": {name: [new, …]}}`, as ALERT's.

    They belong to the row of the data, read as `fields` say, with the same value of `field`.
    Raises DataError where the file or that field cannot be used.
    """
    known = {
        _key(row, field, path): _options(row, f"{path}:{line}")
        for line, row in raw_rows(path).items()
    }
    keys = [_key(row, field, data.path) for row in raw_rows_of(data, fields)]
    if not any(key in known for key in keys):
        raise DataError(f"{path}: has no row for any row of {data.path}; name the id with --id")

    def source(row: int, code: Code) -> dict[str, list[str]]:
        return accepted(code, known.get(keys[row], {}))

    return source


def _options(row: Mapping[str, Any], place: str) -> dict[str, list[str]]:
    """The substitutes of a row by the names they are for; none where it has none."""
    found = row.get("substitutes") or {}
    lists = found.values() if isinstance(found, dict) else [found]
    for names in lists:
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            what = f"substitutes are {shown(found)}, not lists of names by name"
            raise DataError(f"{place}: {what} — write them as {{name: [new, …]}}")
    return dict(found)


def _key(row: Mapping[str, Any], field: str, path: Path) -> str:
    if field not in row:
        raise DataError(f"{path}: a row has no field {field!r}; name the id of a row with --id")
    return str(row[field])
