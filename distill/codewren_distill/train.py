"""`finetune` and `distill`: the same training with other targets, into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from codewren_distill.classifier import Classifier, save_classifier
from codewren_distill.losses import Loss, LossKind, distillation_loss, hard_label_loss
from codewren_distill.memory import pair_lesson
from codewren_distill.objectives import Answers, Lesson
from codewren_distill.scoring import encode_all
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_distill.training import STATE, Report, fit
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example

__all__ = ["discard_state", "distill", "finetune"]


def finetune(
    classifier: Classifier,
    examples: Sequence[Example],
    settings: TrainingSettings,
    folder: Path,
    *,
    identity: str,
    report: Report | None = None,
) -> float:
    """Train on plain labels and save into `folder`; returns the seconds of training."""
    labels = [example.label for example in examples]
    if any(label is None for label in labels):
        raise DataError("finetune needs a label on every row")
    targets = torch.tensor(labels)
    lesson = _lesson(classifier, examples, targets, hard_label_loss, settings)
    return _train(classifier, lesson, settings, folder, identity, report)


def distill(
    student: Classifier,
    examples: Sequence[Example],
    soft_labels: SoftLabels,
    settings: TrainingSettings,
    folder: Path,
    *,
    loss: LossKind,
    temperature: float,
    identity: str,
    report: Report | None = None,
) -> float:
    """Train on the teacher's logits and save into `folder`; returns the seconds of training."""
    if soft_labels.labels != student.task.labels:
        raise DataError(
            f"the teacher's labels {list(soft_labels.labels)} are not the task's "
            f"{list(student.task.labels)}; run label again"
        )
    targets = torch.from_numpy(soft_labels.matrix(examples))
    lesson = _lesson(student, examples, targets, distillation_loss(loss, temperature), settings)
    return _train(student, lesson, settings, folder, identity, report)


def discard_state(folder: Path) -> None:
    """Remove what only a resume needs, once the step is complete."""
    shutil.rmtree((folder / STATE).parent, ignore_errors=True)


def _lesson(
    classifier: Classifier,
    examples: Sequence[Example],
    targets: Tensor,
    loss: Loss,
    settings: TrainingSettings,
) -> Lesson:
    if settings.memory:
        return pair_lesson(classifier, examples, targets, loss)
    return Lesson(encode_all(classifier, examples), targets, classifier.text, Answers(loss))


def _train(
    classifier: Classifier,
    lesson: Lesson,
    settings: TrainingSettings,
    folder: Path,
    identity: str,
    report: Report | None,
) -> float:
    position = fit(classifier, lesson, settings, folder=folder, identity=identity, report=report)
    save_classifier(classifier, folder)
    return position.seconds
