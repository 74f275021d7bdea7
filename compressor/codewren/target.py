"""A bundle or a classifier's folder alike: texts in, answers and probabilities out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codewren_runtime import Model, load
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256
from codewren_runtime.types import Example, Prediction, Task

__all__ = ["CARD", "Judged", "Target", "open_target", "require_labels"]

CARD = "classifier.json"

Judged = tuple[int, Sequence[float]]  # index of the answer, and probabilities by label


class Target(Protocol):
    """A model of which nothing but its answers is looked at."""

    path: Path
    task: Task
    sha256: str

    def judge(self, examples: Sequence[Example]) -> list[Judged]:
        """Answers in the order of the examples."""
        ...


class BundleTarget:
    """A bundle, through the runtime; the answer is by its own threshold."""

    def __init__(self, path: Path) -> None:
        self.model: Model = load(path)
        self.path, self.sha256 = path, file_sha256(path)
        self.task = self.model.task
        self._second = lru_cache(maxsize=64)(self.model.embed)  # only the first text changes

    def judge(self, examples: Sequence[Example]) -> list[Judged]:
        """One prediction after the other: the runtime pads nothing."""
        return [self._judged(self._predict(example)) for example in examples]

    def _predict(self, example: Example) -> Prediction:
        if example.text2 is None:
            return self.model.predict(example.text)
        return self.model.compare(self.model.embed(example.text), self._second(example.text2))

    def _judged(self, prediction: Prediction) -> Judged:
        labels = self.task.labels
        return labels.index(prediction.label), [prediction.probabilities[name] for name in labels]


class FolderTarget:
    """A folder made by finetune or distill, in torch, a batch at a time."""

    def __init__(self, path: Path) -> None:
        from codewren_distill.classifier import load_classifier
        from codewren_distill.devices import fastest
        from codewren_distill.teachers import classifier_hash

        self.path, self.sha256 = path, classifier_hash(str(path))
        self.classifier = load_classifier(path)
        self.classifier.model.to(fastest())  # once, and not for every few queries
        self.task = self.classifier.task

    def judge(self, examples: Sequence[Example]) -> list[Judged]:
        """The likeliest label, and the softmax of the logits."""
        from codewren_distill.scoring import logits_of

        return [_softmax(row) for row in logits_of(self.classifier, examples)]


def _softmax(logits: NDArray[np.float32]) -> Judged:
    raised = np.exp(logits.astype(np.float64) - logits.max())
    return int(logits.argmax()), (raised / raised.sum()).tolist()


def open_target(path: Path) -> Target:
    """A bundle, or a teacher's or student's folder.

    Raises BundleError or ModelError in one line if it is neither, OptionError for embeddings.
    """
    target = FolderTarget(path) if (path / CARD).is_file() else BundleTarget(path)
    require_labels(target.task, path)
    return target


def require_labels(task: Task, path: str | os.PathLike[str]) -> None:
    """OptionError for a model of embeddings, which judges nothing."""
    if task.kind == "embedding":
        raise OptionError(f"{path}: gives embeddings for search, and no labels to judge code by")
