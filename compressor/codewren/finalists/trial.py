"""One trial: train an architecture briefly on labelled data, and measure it on held-out rows.

A trial is a plain value and `run_trial` a plain function, so that any executor of
`concurrent.futures` can run it, in another process or on another machine.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codewren_distill.settings import TrainingSettings
from codewren_runtime.errors import DataError
from codewren_runtime.files import sha256_of
from codewren_runtime.types import Architecture, Example, Task

__all__ = ["Trial", "TrialData", "TrialResult", "run_trial", "split"]

HELD_OUT = 0.25


@dataclass(frozen=True, slots=True)
class TrialData:
    """Labelled rows to train on and to measure on; `sha256` names them."""

    task: Task
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Trial:
    """An architecture, and how long and with which seed it trains."""

    architecture: Architecture
    training: TrainingSettings

    def identity(self, data: TrialData) -> str:
        """sha256 of all that decides the result."""
        shape, training = self.architecture.to_json(), self.training.to_json()
        return sha256_of([data.sha256, data.task.to_json(), shape, training])


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Accuracy and mean negative log-likelihood (nats) on the held-out rows; seconds it took."""

    accuracy: float
    loss: float
    seconds: float

    @property
    def rank(self) -> tuple[float, float]:
        """Larger is better: accuracy, and of equal ones the surer."""
        return self.accuracy, -self.loss


def split(task: Task, examples: Sequence[Example], sha256: str, rows: int, seed: int) -> TrialData:
    """A seeded sample of at most `rows` rows, a quarter of them held out.

    Raises DataError if that leaves fewer than 8 rows to measure on.
    """
    chosen = random.Random(seed).sample(list(examples), min(rows, len(examples)))
    cut = round(HELD_OUT * len(chosen))
    if cut < 8:
        raise DataError(f"finalists need at least 32 labelled rows, {len(chosen)} were given")
    return TrialData(
        task, tuple(chosen[cut:]), tuple(chosen[:cut]), sha256_of([sha256, rows, seed])
    )


def run_trial(trial: Trial, data: TrialData) -> TrialResult:
    """Train from scratch on the plain labels, one thread, and measure."""
    import torch

    from codewren_distill.scoring import logits_of
    from codewren_distill.student import build_student
    from codewren_distill.train import finetune
    from codewren_distill.vocabulary import train_tokenizer

    torch.set_num_threads(1)  # trials run side by side: one core each
    begin = time.monotonic()
    texts = dict.fromkeys(text for example in data.train for text in example.texts)
    shape = trial.architecture
    tokenizer = train_tokenizer(texts, shape.vocab_size, data.task.normalisation)
    student = build_student(shape, data.task, tokenizer, trial.training.seed)
    with tempfile.TemporaryDirectory(prefix="codewren-trial-") as folder:
        finetune(student, data.train, trial.training, Path(folder), identity=trial.identity(data))
    logits = logits_of(student, data.held_out)
    accuracy, loss = _measure(logits, [example.label for example in data.held_out])
    return TrialResult(accuracy, loss, round(time.monotonic() - begin, 2))


def _measure(logits: Any, labels: Sequence[int | None]) -> tuple[float, float]:
    import torch
    from torch.nn.functional import cross_entropy

    scores, truth = torch.from_numpy(logits), torch.tensor(labels)
    right = (scores.argmax(1) == truth).float().mean()
    return round(float(right), 6), round(float(cross_entropy(scores, truth)), 6)
