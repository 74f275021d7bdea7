"""`finetune` and `distill`: the same training with other targets, into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from codewren_distill.classifier import Classifier, save_classifier
from codewren_distill.devices import several_processes
from codewren_distill.early_stopping import EarlyStopping
from codewren_distill.embeddings import contrastive_lesson, taught_lesson
from codewren_distill.freezing import freeze_layers
from codewren_distill.losses import (
    Loss,
    LossKind,
    balanced_loss,
    distillation_loss,
    hard_label_loss,
    mixed_loss,
)
from codewren_distill.mean_teacher import with_mean_teacher
from codewren_distill.memory import pair_lesson, texts_of
from codewren_distill.models import SiameseModel
from codewren_distill.ngram_traits import fit_ngram_traits
from codewren_distill.ngrams import fit_ngrams, shares_of
from codewren_distill.objectives import Answers, Lesson
from codewren_distill.qat import Rounding
from codewren_distill.scoring import encode_all
from codewren_distill.settings import Precision, Supervision, TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_distill.states import TeacherStates
from codewren_distill.token_file import token_file
from codewren_distill.training import STATE, Report, Trainable, fit
from codewren_distill.transfer import Weights, with_transfer
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Example

__all__ = ["Trained", "discard_state", "distill", "finetune"]


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training took and, of validation rows, the loss after each epoch."""

    seconds: float
    valid_losses: tuple[float, ...] = ()


def finetune(
    classifier: Classifier,
    examples: Sequence[Example],
    settings: TrainingSettings,
    folder: Path,
    *,
    identity: str,
    report: Report | None = None,
    supervision: Supervision | None = None,
    valid: Sequence[Example] = (),
) -> Trained:
    """Train on plain labels, or embeddings on pairs that belong together; save into `folder`.

    With `valid`, labelled rows that train nothing, the best epoch's weights are kept.
    """
    supervision = supervision or Supervision()
    freeze_layers(classifier.core, supervision.freeze_layers)
    if classifier.task.kind == "embedding":
        _refuse_labels(supervision, settings, valid)
        lesson = contrastive_lesson(classifier, examples, _state(folder), identity)
        return Trained(_train(classifier, lesson, settings, folder, identity, report))
    targets = _labels(examples)
    balanced = supervision.class_weights == "balanced"
    smoothing, count = settings.label_smoothing, len(classifier.task.labels)
    loss: Loss = partial(hard_label_loss, smoothing=smoothing)
    if balanced:
        loss = balanced_loss(targets, count, smoothing)
    lesson = _lesson(classifier, examples, targets, loss, settings, folder, identity)
    stopping = None
    if valid:
        rows = Lesson(encode_all(classifier, valid), _labels(valid), classifier.text, Answers(loss))
        stopping = EarlyStopping(rows, loss, supervision.patience)
    seconds = _train(classifier, lesson, settings, folder, identity, report, stopping=stopping)
    return Trained(seconds, tuple(stopping.losses) if stopping is not None else ())


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
    hard_weight: float = 0.0,
    qat: Precision | None = None,
    states: TeacherStates | None = None,
    weights: Weights | None = None,
    report: Report | None = None,
) -> float:
    """Train on the teacher's logits and save into `folder`; returns the seconds of training.

    With `hard_weight` that share of the loss is the cross-entropy with the examples' own labels.
    With `qat` the student is trained for that precision, and ends with weights rounded to it.
    With `states` of the teacher, what `weights` say of them is added to it. Of embeddings the
    cosines are learnt, and `loss` and `temperature` have no meaning.
    """
    if soft_labels.labels != student.task.labels:
        raise DataError(
            f"the teacher's labels {list(soft_labels.labels)} are not the task's "
            f"{list(student.task.labels)}; run label again"
        )
    if student.task.kind == "embedding":
        _refuse_labels(Supervision(), settings, (), hard_weight)
        lesson = taught_lesson(student, examples, soft_labels, _state(folder), identity)
        return _train(student, lesson, settings, folder, identity, report)
    targets = torch.from_numpy(soft_labels.matrix(examples))
    objective = distillation_loss(loss, temperature)
    if hard_weight:
        targets = torch.cat((targets, _labels(examples)[:, None]), dim=1)
        objective = mixed_loss(objective, hard_weight, settings.label_smoothing)
    elif settings.label_smoothing:
        raise OptionError("label_smoothing is for plain labels; give hard_weight too")
    parts = student, examples, targets, objective, settings, folder, identity
    lesson = _lesson(*parts, hard_weight)
    rounding = None if qat is None else Rounding(student, qat)
    trainee = None
    if states is not None and weights is not None:
        rows = [example.texts for example in examples]
        if settings.memory:
            rows = [(text,) for text in texts_of(examples)]
        trainee, lesson = with_transfer(
            student, lesson, examples, rows, states, weights, settings.seed
        )
    how = identity, report
    return _train(student, lesson, settings, folder, *how, rounding=rounding, trainee=trainee)


def _refuse_labels(
    supervision: Supervision,
    settings: TrainingSettings,
    valid: Sequence[Example],
    hard_weight: float = 0.0,
) -> None:
    """OptionError for what only labels, or a head over two embeddings, can use."""
    used = {
        "a validation set": bool(valid) or supervision.valid_share > 0,
        "class_weights": supervision.class_weights != "none",
        "label_smoothing": settings.label_smoothing > 0,
        "hard_weight": hard_weight > 0,
        "memory": settings.memory,
        "consistency": settings.consistency > 0,
    }
    for name, is_used in used.items():
        if is_used:
            raise OptionError(f"{name} is for labels, and an embedding has none; leave it out")


def _labels(examples: Sequence[Example]) -> Tensor:
    labels = [example.label for example in examples]
    if any(label is None for label in labels):
        raise DataError("plain labels are to be learnt from and some rows have none; label them")
    return torch.tensor(labels)


def discard_state(folder: Path) -> None:
    """Remove what only a resume needs, once the step is complete."""
    shutil.rmtree(_state(folder), ignore_errors=True)


def _state(folder: Path) -> Path:
    return (folder / STATE).parent


def _lesson(
    classifier: Classifier,
    examples: Sequence[Example],
    targets: Tensor,
    loss: Loss,
    settings: TrainingSettings,
    folder: Path,
    identity: str,
    hard_weight: float = 0.0,
) -> Lesson:
    if not settings.memory or classifier.ngrams is not None:
        encoded = token_file(_state(folder), identity, classifier.text, examples)
    if classifier.ngrams is not None:
        shares = shares_of(targets, len(classifier.task.labels), hard_weight)
        if isinstance(classifier.model, SiameseModel):
            fit_ngram_traits(classifier.model, encoded, shares, settings.seed)
        else:
            fit_ngrams(classifier.ngrams, encoded, shares, settings.seed)
    if settings.memory:
        if several_processes():
            raise OptionError("memory trains in one process; leave it out, or start only one")
        return pair_lesson(classifier, examples, targets, loss)
    lesson = Lesson(encoded, targets, classifier.text, Answers(loss))
    if not settings.consistency:
        return lesson
    weight = settings.consistency
    return with_mean_teacher(lesson, loss, weight, examples, _state(folder), identity)


def _train(
    classifier: Classifier,
    lesson: Lesson,
    settings: TrainingSettings,
    folder: Path,
    identity: str,
    report: Report | None,
    *,
    stopping: EarlyStopping | None = None,
    rounding: Rounding | None = None,
    trainee: Trainable | None = None,
) -> float:
    """`trainee` is what trains in place of the classifier, whose model is a part of it."""
    position = fit(
        classifier if trainee is None else trainee,
        lesson,
        settings,
        folder=folder,
        identity=identity,
        report=report,
        stopping=stopping,
        rounding=rounding,
    )
    if rounding is not None:
        rounding.settle()
    save_classifier(classifier, folder)
    return position.seconds
