"""`label`: a teacher's soft labels on unlabelled examples, kept as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from codewren_distill.classifier import Classifier
from codewren_distill.scoring import encode_all, score_batches, scored
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example

__all__ = ["label_examples"]


def label_examples(
    teacher: Classifier,
    teacher_hash: str,
    examples: Sequence[Example],
    path: Path,
    *,
    checkpoint_seconds: float = 10.0,
    advance: Callable[[int], None] | None = None,
) -> SoftLabels:
    """Soft labels of all examples, in `path`; what a killed run left there is kept.

    Batches are cut from the whole list before the finished ones are passed over, so that a
    resumed run pads, and hence rounds, as an uninterrupted one. `advance` gets rows done.
    Of rewritings only what they were made from is read, once.
    """
    soft = _begun(path, teacher_hash, teacher)
    given = len(examples)
    examples = list({example_key(one): Example.of(one.taught) for one in examples}.values())
    if advance is not None:
        advance(given - len(examples))
    encoded = encode_all(teacher, examples)
    todo = []
    for rows in score_batches(encoded):
        if not soft.has(examples[row] for row in rows):
            todo.append(rows)
        elif advance is not None:
            advance(len(rows))
    stored = time.monotonic()
    for rows, logits in scored(teacher, encoded, todo):
        soft.add([examples[row] for row in rows], logits)
        if advance is not None:
            advance(len(rows))
        if time.monotonic() - stored >= checkpoint_seconds:
            soft.save(path)
            stored = time.monotonic()
    soft.save(path)
    return soft


def _begun(path: Path, teacher_hash: str, teacher: Classifier) -> SoftLabels:
    empty = SoftLabels(teacher_hash, teacher.task.labels, {})
    if not path.is_file():
        return empty
    try:
        soft = SoftLabels.load(path)
    except DataError:  # damaged: nothing to keep, it is made again
        return empty
    return soft if (soft.teacher, soft.labels) == (empty.teacher, empty.labels) else empty
