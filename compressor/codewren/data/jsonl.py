"""JSON lines to examples: single texts, pairs of texts, or pairs of ids and a functions file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codewren.data.dataset import Dataset
from codewren.data.fields import Fields
from codewren.data.labels import KnownLabels, LabelReader, NewLabels
from codewren.data.problems import BadRow, Problem, refuse, shown
from codewren.data.published import row_parser
from codewren.data.rows import id_in, original_in, parse_row, text_in, value_in
from codewren.data.store import Gathering
from codewren.data.stream import Lines, open_lines
from codewren_runtime.errors import DataError
from codewren_runtime.files import sha256_of

__all__ = ["raw_rows", "raw_rows_of", "read_jsonl"]

# Fields that change no example: where the functions lie, and the rows' own ids.
_NOT_CONTENT = ("functions", "id")

AS_PUBLISHED = ("idx", "func")  # CodeXGLUE's names for a function's id and code

Row = dict[str, Any]
Texts = Callable[[Row], tuple[str, ...]]


def read_jsonl(
    path: Path,
    fields: Fields,
    labels: Sequence[str] | None,
    *,
    require_label: bool,
    skip_bad_rows: bool = False,
) -> Dataset:
    """Read a file of JSON lines; see `read_examples` for arguments and errors."""
    bad: list[BadRow] = []
    hashes: list[str] = []
    functions = _read_functions(fields, bad, hashes)
    if not skip_bad_rows:
        refuse(bad)  # before its missing ids make bad rows of good ones
    reader: LabelReader = NewLabels() if labels is None else KnownLabels(labels)
    label_of = _label_reader(fields, reader, require_label=require_label)
    id_of = _row_id_reader(fields)
    rows = Gathering()
    numbers: list[int] = []
    keys: list[str] = []
    texts_of = _text_reader(fields, functions)
    with open_lines(path) as lines:
        for number, row in _good_rows(lines, bad, row_parser(path, fields)):
            try:
                original = original_in(row, len(fields.of_texts))
                texts = texts_of(row)
                name, key = label_of(row), id_of(row, texts)
            except Problem as problem:
                bad.append(problem.at(path, number))
                continue
            rows.add(texts, original, name)
            numbers.append(number)
            keys += [] if key is None else [key]
        hashes.append(lines.sha256)
    bad.sort(key=lambda row: (row.path == path, row.line))
    _check(path, len(rows), bad, skip_bad_rows=skip_bad_rows)
    names = reader.final(rows.names)
    return Dataset(
        rows.examples(names),
        tuple(numbers),
        path,
        _identity(hashes, fields, labels),
        names,
        tuple(bad),
        tuple(keys),
    )


def raw_rows(path: Path) -> dict[int, Row]:
    """The objects of a file by their lines, all fields kept; DataError for lines that hold none."""
    bad: list[BadRow] = []
    with open_lines(path) as lines:
        rows = dict(_good_rows(lines, bad))
    refuse(bad)
    return rows


def raw_rows_of(data: Dataset, fields: Fields) -> list[Row]:
    """The objects that the examples of a data set came from, all fields kept.

    The file is read again. Raises DataError where it cannot be, as a pipe, or was changed.
    """
    if not data.path.is_file():
        raise DataError(f"{data.path}: must be read twice, which a pipe cannot — give a file")
    with open_lines(data.path) as lines:
        rows = dict(_good_rows(lines, [], row_parser(data.path, fields)))
    if any(line not in rows for line in data.lines):
        raise DataError(f"{data.path}: was changed while it was read — run the command again")
    return [rows[line] for line in data.lines]


def _good_rows(
    lines: Lines, bad: list[BadRow], parse: Callable[[bytes | None], Row] = parse_row
) -> Iterator[tuple[int, Row]]:
    """Line numbers and objects; lines that hold no object go to `bad`."""
    for number, line in lines:
        try:
            row = parse(line)
        except Problem as problem:
            bad.append(problem.at(lines.path, number))
        else:
            yield number, row


def _read_functions(fields: Fields, bad: list[BadRow], hashes: list[str]) -> dict[str, str]:
    """Texts by id; empty if the fields name no file of functions."""
    texts: dict[str, str] = {}
    if fields.functions is None:
        return texts
    with open_lines(fields.functions) as lines:
        for number, row in _good_rows(lines, bad):
            try:
                _add_function(row, fields, texts)
            except Problem as problem:
                bad.append(problem.at(fields.functions, number))
        hashes.append(lines.sha256)
    return texts


def _add_function(row: Row, fields: Fields, texts: dict[str, str]) -> None:
    names = fields.functions_id, fields.functions_code
    if names[0] not in row and AS_PUBLISHED[0] in row:
        names = AS_PUBLISHED
    remedy = f"a file of functions needs {names[0]} and {names[1]}"
    key = id_in(row, names[0], remedy)
    text = text_in(row, names[1], remedy)
    if texts.setdefault(key, text) != text:
        raise Problem(f"id {shown(key)} occurs twice with different code", "keep one of them")


def _text_reader(fields: Fields, functions: dict[str, str]) -> Texts:
    """How a row gives its one or two texts."""
    if fields.id1 is None:
        return lambda row: tuple(text_in(row, name, option) for option, name in fields.of_texts)

    def by_id(row: Row) -> tuple[str, ...]:
        keys = [id_in(row, name, option) for option, name in fields.of_texts]
        for key in keys:
            if key not in functions:
                raise Problem(f"id {shown(key)} is not in {fields.functions}", "add the function")
        return tuple(functions[key] for key in keys)

    return by_id


def _label_reader(
    fields: Fields, reader: LabelReader, *, require_label: bool
) -> Callable[[Row], str | None]:
    """How a row gives the name of its label."""
    field = fields.label
    if field is None:
        return lambda _: None

    def label_of(row: Row) -> str | None:
        value = value_in(row, field, "--label") if require_label else row.get(field)
        if value is None and not require_label:
            return None
        return reader.name(value)

    return label_of


def _row_id_reader(fields: Fields) -> Callable[[Row, tuple[str, ...]], str | None]:
    """How a row gives its own id, which stands for one content."""
    field = fields.id
    if field is None:
        return lambda *_: None
    seen: dict[str, tuple[str, ...]] = {}

    def id_of(row: Row, texts: tuple[str, ...]) -> str:
        key = id_in(row, field, "--id")
        if seen.setdefault(key, texts) != texts:
            raise Problem(f"id {shown(key)} occurs twice with different code", "keep one of them")
        return key

    return id_of


def _check(path: Path, good: int, bad: list[BadRow], *, skip_bad_rows: bool) -> None:
    if not skip_bad_rows:
        refuse(bad)
    if not good and bad:
        raise DataError(f"{path}: no usable row, {len(bad):,} bad; the first: {bad[0]}")
    if not good:
        raise DataError(f"{path}: holds no rows — give a file with one JSON object per line")


def _identity(hashes: list[str], fields: Fields, labels: Sequence[str] | None) -> str:
    """sha256 of the files and of how they were read, wherever they lie."""
    names = {key: value for key, value in asdict(fields).items() if key not in _NOT_CONTENT}
    return sha256_of([hashes, names, None if labels is None else list(labels)])
