"""Rows as data sets of code are published where they are no JSON lines.

Lines of a .txt file:
    id1 TAB id2 TAB label        pairs by id: BigCloneBench in CodeXGLUE (Lu et al. 2021)
    code <CODESPLIT> label       single texts, line ends as \\n: Google Code Jam in ALERT (Yang et
                                 al., ICSE 2022)

A folder with a folder for each label, and in that the texts, a file each: POJ-104 (Mou et al., AAAI
2016), or the programs of Google Code Jam by author.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codewren.data.dataset import Dataset
from codewren.data.fields import Fields
from codewren.data.folder import EXTENSIONS, read_text, source_files
from codewren.data.labels import KnownLabels, LabelReader, NewLabels
from codewren.data.problems import BadRow, Problem, cannot_read, refuse
from codewren.data.rows import parse_row
from codewren.data.store import Gathering
from codewren_runtime.errors import DataError
from codewren_runtime.files import sha256_of

__all__ = ["is_by_label", "read_by_label", "row_parser"]

SEPARATOR = " <CODESPLIT> "
TEXT = ".txt"
LABEL = "target"  # the label's field where none is asked for

Row = dict[str, Any]


def row_parser(path: Path, fields: Fields) -> Callable[[bytes | None], Row]:
    """How a line becomes a row; raises Problem for a line that is none.

    A .txt file may hold JSON lines too.
    """
    if path.suffix != TEXT:
        return parse_row

    def parse(line: bytes | None) -> Row:
        if line is None or line.lstrip().startswith(b"{"):
            return parse_row(line)
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise Problem("is not UTF-8 text", "save the file as UTF-8") from error
        return _pair(text, fields) if fields.is_pair else _single(text, fields)

    return parse


def _pair(line: str, fields: Fields) -> Row:
    parts = line.split("\t")
    if fields.id1 is None or fields.id2 is None or len(parts) != 3:
        what = f"has {len(parts)} columns between tabs"
        raise Problem(what, "give two ids and a label, with --id1, --id2 and --functions")
    return {fields.label or LABEL: _label(parts[2]), fields.id1: parts[0], fields.id2: parts[1]}


def _single(line: str, fields: Fields) -> Row:
    code, separator, label = line.rpartition(SEPARATOR)
    if not separator:
        remedy = f"give JSON lines, or code{SEPARATOR}label"
        raise Problem(f"has no{SEPARATOR.rstrip()}", remedy)
    return {fields.label or LABEL: _label(label), fields.text: code.replace("\\n", "\n")}


def _label(text: str) -> int | str:
    """A whole number, or a name."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else text


def is_by_label(path: Path) -> bool:
    """Whether a folder holds no sources but .txt files, in a folder for each label."""
    return any(path.glob(f"*/*{TEXT}")) and next(source_files(path), None) is None


def read_by_label(
    path: Path, fields: Fields, labels: Sequence[str] | None, *, skip_bad_rows: bool = False
) -> Dataset:
    """Read a folder whose sub-folders are labels; arguments and errors as `read_examples`."""
    rows, lines, bad = Gathering(), list[int](), list[BadRow]()
    reader: LabelReader = NewLabels() if labels is None else KnownLabels(labels)
    hashes: dict[str, str] = {}
    try:
        files = [file for folder in sorted(path.iterdir()) for file in _inside(folder)]
    except OSError as error:
        raise cannot_read(path, error) from error
    for file in files:
        try:
            data, text = _filled(file)
            rows.add((text,), None, reader.name(file.parent.name) if fields.label else None)
            lines.append(1)
            hashes[file.relative_to(path).as_posix()] = hashlib.sha256(data).hexdigest()
        except Problem as problem:
            bad.append(problem.at(file, 1))
    if not skip_bad_rows:
        refuse(bad)
    if not len(rows):
        raise DataError(
            f"{path}: is a folder, which has no labels — give one with a folder for each label, "
            "or a file of JSON lines"
        )
    names = reader.final(rows.names)
    sha256 = sha256_of([hashes, fields.label is None, None if labels is None else list(labels)])
    return Dataset(rows.examples(names), tuple(lines), path, sha256, names, tuple(bad))


def _filled(file: Path) -> tuple[bytes, str]:
    data, text = read_text(file)
    if not text.strip():
        raise Problem("is empty", "remove it")
    return data, text


def _inside(folder: Path) -> list[Path]:
    """The texts of a label, sorted; nothing for a file or a hidden folder."""
    if folder.name.startswith(".") or not folder.is_dir():
        return []
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in EXTENSIONS | {TEXT})
