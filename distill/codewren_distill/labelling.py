"""`label`: a teacher's soft labels on unlabelled examples, kept as it goes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from codewren_distill.classifier import Classifier
from codewren_distill.scoring import score_batches, scored
from codewren_distill.soft_labels import SoftLabels, Taught, example_key
from codewren_distill.token_file import token_file
from codewren_runtime.errors import DataError
from codewren_runtime.files import sha256_of
from codewren_runtime.types import Example

__all__ = ["label_examples"]

TOKENS = ".tokens"  # of the folder beside the soft labels that holds what the teacher reads


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
    soft, say = _begun(path, teacher_hash, teacher), advance or (lambda _: None)
    first: dict[bytes, int] = {}
    for at, example in enumerate(examples):
        first.setdefault(example_key(example), at)
    keys, taught = list(first), Taught(examples, list(first.values()))
    say(len(examples) - len(keys))
    tokens = path.with_suffix(TOKENS)
    read = sha256_of([teacher_hash, teacher.max_length, sha256_of(b"".join(keys))])
    encoded = token_file(tokens, read, teacher.text, taught)
    todo = []
    for rows in score_batches(encoded):
        if not all(keys[row] in soft.logits for row in rows):
            todo.append(rows)
        else:
            say(len(rows))
    stored = time.monotonic()
    for rows, logits in scored(teacher, encoded, todo):
        soft.add_keys([keys[row] for row in rows], logits)
        say(len(rows))
        if time.monotonic() - stored >= checkpoint_seconds:
            soft.save(path)
            stored = time.monotonic()
    soft.save(path)
    shutil.rmtree(tokens, ignore_errors=True)
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
