"""`read_examples`: one door to a user's data, whatever its form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codewren.data.dataset import Dataset
from codewren.data.fields import Fields
from codewren.data.folder import EXTENSIONS, read_sources
from codewren.data.jsonl import read_jsonl
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Example

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
    if require_label or fields.is_pair or fields.id is not None:
        what = "pairs" if fields.is_pair else "labels" if require_label else "ids"
        kind = "is a folder" if path.is_dir() else "is a source file"
        raise DataError(f"{path}: {kind}, which has no {what} — give a file of JSON lines")
    sources = read_sources(path, skip_bad_rows=skip_bad_rows)
    return Dataset(
        tuple(Example(source.text) for source in sources.texts),
        tuple(source.line for source in sources.texts),
        path,
        sources.sha256,
        tuple(labels or ()),
        sources.bad_rows,
    )
