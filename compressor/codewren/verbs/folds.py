"""Cross-fitting: teachers that each leave out a fold of the rows, so that no row is labelled by
one that learnt its label.

A teacher that has learnt the rows that it labels says little more than their labels. Dao et al.,
"Knowledge Distillation as Semiparametric Inference" (ICLR 2021), section 4, fit it to the other
folds, as here. Which fold a row is in, its content decides: equal code is in the same one, a
rewriting in that of its original, and rows that were not trained on have one all the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from codewren.data import Dataset
from codewren.data.store import Picked
from codewren.run_directory import Run, Step, read_marker
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.files import sha256_of
from codewren_runtime.types import Example

__all__ = [
    "finish_folds",
    "fold_count",
    "fold_folder",
    "fold_hashes",
    "in_folds",
    "outside",
    "require_folds",
    "require_rows",
]

FOLDS, MARKER = "folds", "folds.json"  # of a teacher's folder
MOST = 100
REMEDY = "run finetune again"


def require_folds(folds: int, kind: str, into: str = "teacher") -> None:
    """OptionError unless rows of this kind of task can be cut into so many folds."""
    if folds and not 2 <= folds <= MOST:
        raise OptionError(f"folds must be 0 or from 2 to {MOST}, not {folds}")
    if folds and kind == "embedding":
        raise OptionError("folds are of rows with labels, and an embedding has none; leave it out")
    if folds and into != "teacher":
        raise OptionError(f"folds are for a teacher, which labels; leave them out for the {into}")


def require_rows(data: Dataset, folds: int) -> None:
    """DataError before anything trains unless each fold has rows, and the others labels to learn.

    With three labels or more, one may be in a single fold: its teacher knows the others.
    """
    if not folds:
        return
    labels: list[set[int | None]] = [set() for _ in range(folds)]
    for example, fold in zip(data.examples, _folds(data.examples, folds), strict=True):
        labels[fold].add(example.label)
    if not all(labels):
        raise DataError(
            f"{data.path}: {len(data.examples)} rows leave one of {folds} folds empty; "
            "give fewer folds, or more rows that differ"
        )
    for fold in range(folds):
        others = set().union(*labels[:fold], *labels[fold + 1 :])
        if len(others) < 2 <= len(others | labels[fold]):
            raise DataError(
                f"{data.path}: all rows outside fold {fold} of {folds} have one label, which "
                "teaches nothing; give fewer folds, or more rows of the other labels"
            )


def fold_folder(into: str, fold: int) -> str:
    """Where, in the run, the teacher is that leaves this fold out."""
    return f"{into}/{FOLDS}/{fold}"


def outside(data: Dataset, fold: int, folds: int) -> Dataset:
    """The rows that are not in the fold."""
    kept = [i for i, own in enumerate(_folds(data.examples, folds)) if own != fold]
    return data.picked(kept, sha256_of([data.sha256, "outside", fold, folds]))


def finish_folds(run: Run, into: str, folds: int) -> None:
    """Say that the teachers of all folds are there; what other folds may have left goes."""
    folder = run.path(into) / FOLDS
    if not folds:
        if folder.is_dir():
            run.reporter.say(f"{folder}: removed, since no folds are asked for")
            _discard(folder)
        return
    for other in folder.iterdir():
        if other.is_dir() and other.name not in map(str, range(folds)):
            _discard(other)
    hashes = [_hash(folder / str(fold)) for fold in range(folds)]
    inputs = {"teacher": _hash(run.path(into)), "folds": hashes}
    Step(f"finetune {into}", folder / MARKER, inputs).finish({})


def fold_hashes(teacher: str) -> list[str]:
    """What the answers of the teachers of each fold hang on; none where it has no folds.

    Raises OptionError where they are not as `finish_folds` left them.
    """
    folder = Path(teacher) / FOLDS
    if not folder.is_dir():
        return []
    whole, hashes = _recorded(folder)
    if whole != _hash(Path(teacher)):
        raise OptionError(f"{folder}: was made beside another teacher; {REMEDY}")
    for fold, sha256 in enumerate(hashes):
        one = folder / str(fold)
        if not one.is_dir() or _hash(one) != sha256:
            raise OptionError(f"{one}: is missing, or was changed since it was written; {REMEDY}")
    return hashes


def fold_count(teacher: str) -> int:
    """How many folds a teacher has, without a look at their weights; 0 where it has none."""
    folder = Path(teacher) / FOLDS
    return len(_recorded(folder)[1]) if folder.is_dir() else 0


def in_folds(
    teacher: str, examples: Sequence[Example], folds: int
) -> list[tuple[str, Sequence[Example]]]:
    """The folders of a teacher of so many folds, each with the examples that it labels."""
    numbers = _folds(examples, folds)
    of_fold = ([i for i, own in enumerate(numbers) if own == fold] for fold in range(folds))
    return [
        (str(Path(teacher) / FOLDS / str(fold)), Picked(examples, rows))
        for fold, rows in enumerate(of_fold)
        if rows
    ]


def _recorded(folder: Path) -> tuple[str, list[str]]:
    """The hashes of the teacher and of those of its folds, as `finish_folds` left them."""
    if not (folder / MARKER).is_file():
        raise OptionError(f"{folder}: its teachers are not all there; {REMEDY}")
    try:
        inputs = read_marker(folder / MARKER)["inputs"]
        whole, hashes = str(inputs["teacher"]), [str(one) for one in inputs["folds"]]
    except (KeyError, TypeError) as error:
        raise OptionError(f"{folder / MARKER}: is not as finetune writes it; {REMEDY}") from error
    if not hashes:
        raise OptionError(f"{folder / MARKER}: is not as finetune writes it; {REMEDY}")
    return whole, hashes


def _discard(folder: Path) -> None:
    """Remove a folder; of one that was moved elsewhere and linked to, the link."""
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            shutil.rmtree(folder)
    except OSError as error:  # which names a file in it by its last part alone
        raise OptionError(
            f"{folder}: cannot be removed ({error.strerror}); remove it, then {REMEDY}"
        ) from error


def _folds(examples: Sequence[Example], folds: int) -> list[int]:
    from codewren_distill.soft_labels import example_key

    return [int.from_bytes(example_key(example)[:8], "big") % folds for example in examples]


def _hash(folder: Path) -> str:
    from codewren_distill.teachers import classifier_hash

    return classifier_hash(str(folder))
