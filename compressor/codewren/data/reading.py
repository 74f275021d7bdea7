"""`read_examples`: one door to a user's data, whatever its form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codewren.data.dataset import Dataset
from codewren.data.fields import Fields
from codewren.data.folder import EXTENSIONS, SourceText, each_source
from codewren.data.jsonl import read_jsonl
from codewren.data.published import is_by_label, read_by_label
from codewren.data.store import Gathering
from codewren_runtime.errors import DataError, OptionError

__all__ = ["read_examples"]


def read_examples(
    path: Path,
    fields: Fields,
    labels: Sequence[str] | None,
    *,
    require_label: bool,
    skip_bad_rows: bool = False,
) -> Dataset:
    """Read JSON lines (gzip accepted), or a source file or folder of them as unlabelled texts.

    Where labels are asked for, a folder's are the names of the folders in it; that, and what else
    than JSON lines a file may hold, `codewren.data.published` says.

    `labels` are the task's names in index order; None takes those of the file, sorted.
    A row without a label, or with null, is bad if `require_label`, else unlabelled.
    Raises DataError in one line for a file that cannot be used, one without a usable row
    and, unless `skip_bad_rows`, for any bad row; OptionError if no field can give the labels.
    """
    if require_label and fields.label is None:
        raise OptionError("labels are needed: name their field with --label")
    if not (path.is_dir() or path.suffix.lower() in EXTENSIONS):
        return read_jsonl(
            path, fields, labels, require_label=require_label, skip_bad_rows=skip_bad_rows
        )
    by_label = path.is_dir() and (require_label or is_by_label(path))
    if by_label and not fields.is_pair and fields.id is None:
        return read_by_label(path, fields, labels, skip_bad_rows=skip_bad_rows)
    if require_label or fields.is_pair or fields.id is not None:
        what = "pairs" if fields.is_pair else "labels" if require_label else "ids"
        kind = "is a folder" if path.is_dir() else "is a source file"
        raise DataError(f"{path}: {kind}, which has no {what} — give a file of JSON lines")
    rows = Gathering()
    lines: list[int] = []

    def take(source: SourceText) -> None:
        rows.add((source.text,))
        lines.append(source.line)

    sha256, bad = each_source(path, take, skip_bad_rows=skip_bad_rows)
    return Dataset(rows.examples(), tuple(lines), path, sha256, tuple(labels or ()), bad)
