"""A whole run: the verbs in their order, on one run directory."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from codewren.data import Dataset, Fields, read_examples
from codewren.recipe import PretrainRecipe, Recipe
from codewren.run_directory import Run
from codewren.verbs.distill import distill
from codewren.verbs.evaluate import evaluate
from codewren.verbs.export import export
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.label import label
from codewren.verbs.pretrain import pretrain
from codewren.verbs.search import read_architecture, search_architecture
from codewren_distill.settings import TrainingSettings
from codewren_runtime.files import sha256_of

__all__ = ["run_recipe", "sample"]


def run_recipe(run: Run, recipe: Recipe) -> dict[str, Any]:
    """Search, pretrain, finetune, label, distill, control, export, evaluate; the report."""
    data, labels, known = recipe.data, recipe.task.labels, recipe.data.fields
    embedding = recipe.task.kind == "embedding"
    if embedding:
        known = replace(known, label=None)
    train = sample(_read(data.train, known, labels), data.train_rows, recipe.seed)
    labels = train.labels if labels is None else labels
    clones = embedding and not known.is_pair  # the test rows may have labels, to find clones by
    tested = _read_optional(data.test, data.fields) if clones else _read(data.test, known, labels)
    test = sample(tested, data.test_rows, recipe.seed)
    fields = replace(known, id=recipe.label.id)
    if not recipe.distill.hard_weight:
        fields = replace(fields, label=None)
    whole = _read(data.unlabelled, fields, labels if fields.label else None)
    unlabelled = sample(whole, data.unlabelled_rows, recipe.seed)
    task = train.task(recipe.task.name, recipe.task.kind, recipe.task.normalisation)
    run.set_task(task)
    with_ngrams = replace(recipe.search, ngrams=recipe.distill.fresh.ngrams)
    search_architecture(run, with_ngrams, task, train)
    fresh = recipe.distill.fresh
    if recipe.pretrain is not None:
        _pretrain(run, recipe.pretrain, unlabelled, recipe)
    else:  # what a former recipe may have left in the run
        fresh = replace(fresh, from_scratch=True)
    if recipe.teacher is not None:
        settings, rules = recipe.teacher_training, recipe.supervision
        folds = recipe.folds
        finetune(run, train, task, recipe.teacher, settings, supervision=rules, folds=folds)
    label(run, unlabelled, task, recipe.label, whole=whole)
    distill(run, unlabelled, replace(recipe.distill, fresh=fresh), recipe.training)
    if recipe.control and not clones:  # single texts teach no embedding
        source = ModelSource(architecture=read_architecture(run), fresh=fresh)
        training = equal_compute(recipe.training, unlabelled, train)
        finetune(run, train, task, source, training, into="control")
    held_out = _read(data.validation, known, labels) if data.validation else None
    export(run, recipe.export, held_out)
    return evaluate(run, test, train)


def _pretrain(run: Run, recipe: PretrainRecipe, unlabelled: Dataset, whole: Recipe) -> None:
    """Pre-train on texts of their own, or on those that are to be distilled on."""
    data = unlabelled
    if recipe.data is not None:
        data = _read(recipe.data, Fields(text=recipe.text, label=None), None)
    data = sample(data, recipe.rows, whole.seed)
    pretrain(run, data, whole.task.normalisation, recipe.settings, recipe.training)


def equal_compute(training: TrainingSettings, data: Dataset, control: Dataset) -> TrainingSettings:
    """The control's settings: as many epochs as make about as many steps as the student's."""
    from codewren_distill.memory import texts_of

    rows, control_rows = (
        len(texts_of(part.examples)) if training.memory else len(part.examples)
        for part in (data, control)
    )
    return replace(training, epochs=max(1, round(training.epochs * rows / control_rows)))


def sample(data: Dataset, rows: int | None, seed: int) -> Dataset:
    """A seeded sample of `rows` examples in their order; all of them for None."""
    if rows is None or rows >= len(data.examples):
        return data
    chosen = sorted(random.Random(seed).sample(range(len(data.examples)), rows))
    return data.picked(chosen, sha256_of([data.sha256, rows, seed]))


def _read(path: Path, fields: Fields, labels: tuple[str, ...] | None) -> Dataset:
    return read_examples(path, fields, labels, require_label=fields.label is not None)


def _read_optional(path: Path, fields: Fields) -> Dataset:
    """Rows with the labels that they have."""
    return read_examples(path, fields, None, require_label=False)
