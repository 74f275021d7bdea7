"""evaluate: every model of a run on the same test rows, with the sceptics beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren.data import Dataset
from codewren.progress import Reporter
from codewren.report import Row, report_data, write_report
from codewren.run_directory import Run, Step, read_marker
from codewren.verbs.costs import p50, shipped
from codewren.verbs.embeddings import Trial, bundle_row, embedding_rows
from codewren.verbs.export import EXPORT, exported
from codewren_runtime import Model, load, read_bundle
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256
from codewren_runtime.metrics import score
from codewren_runtime.types import Example, Prediction, Task

__all__ = ["evaluate", "evaluate_alone", "evaluate_bundle", "evaluate_folder", "task_of"]

MODELS = {
    "teacher": "teacher",
    "control": "control: student's shape, trained on the labels",
    "student": "student, distilled",
}


def evaluate(
    run: Run, test: Dataset, train: Dataset | None, *, robust: bool = False
) -> dict[str, Any]:
    """Score all that the run holds on `test`; `train` is for majority and the linear model.

    What an embedding task is scored on, `codewren.verbs.embeddings` says; `train` is for TF-IDF.
    With `robust` also how many answers stay when names, layout, comments or sides change.
    Writes report.json, report.md and report.png; returns what report.json says.
    """
    task = run.task()
    if task is None:
        raise OptionError(f"{run.folder}: nothing to evaluate there; run finetune or label first")
    bundle = exported(run)
    marks = [run.path(f"{name}/metrics.json") for name in MODELS]
    # All of a folder: weights that were changed, or trained anew and not finished, tell.
    present = {mark.parent.name: file_sha256(mark.parent) for mark in marks if mark.is_file()}
    present["bundle"] = file_sha256(bundle) if bundle else ""
    inputs: dict[str, Any] = {
        "test": test.sha256,
        "train": train.sha256 if train else None,
        "models": present,
    }
    if robust:
        inputs["robust"] = True
    if task.kind == "embedding":
        _refuse_robust(robust=robust)
        inputs["soft_labels"] = _hash_of(run.path("soft_labels.json"))
    step = Step("evaluate", run.path("report.json"), inputs)
    whole = all(run.path(name).is_file() for name in ("report.md", "report.png"))
    if whole and (done := run.finished(step)):
        return done
    of_kind = embedding_rows if task.kind == "embedding" else _rows
    quant = read_marker(run.path(EXPORT))["quant"] if bundle else ""
    rows = of_kind(run, task, test, train, bundle, f"bundle, {quant}")
    if not rows:
        raise OptionError(f"{run.folder}: no model there yet; run finetune or distill, then export")
    data = report_data(task, rows, test)
    if robust:
        models = {run.path(name): title for name, title in MODELS.items() if name in present}
        add_consistency(run.reporter, data, models | ({bundle: "bundle"} if bundle else {}), test)
    return write_report(run, step, data)


def _rows(
    run: Run, task: Task, test: Dataset, train: Dataset | None, bundle: Path | None, name: str
) -> list[Row]:
    """The baselines on `train` if given, then all that the run holds; `name` is the bundle's."""
    rows = _baselines(run.reporter, task, test, train) if train else []
    for folder, title in MODELS.items():
        if run.path(f"{folder}/metrics.json").is_file():
            rows.append(evaluate_folder(run.reporter, run.path(folder), title, test))
    if bundle is not None:
        rows.append(evaluate_bundle(run.reporter, bundle, name, test))
    return rows


def task_of(run: Run, bundle: Path | None) -> Task | None:
    """The task to read the test rows for: the bundle's, or the run's."""
    return run.task() if bundle is None else read_bundle(bundle).manifest.task


def _refuse_robust(*, robust: bool) -> None:
    if robust:
        raise OptionError("--robust counts answers that stay; embeddings have none, leave it out")


def _hash_of(path: Path) -> str | None:
    return file_sha256(path) if path.is_file() else None


def evaluate_alone(
    reporter: Reporter,
    bundle: Path,
    test: Dataset,
    train: Dataset | None = None,
    *,
    robust: bool = False,
) -> dict[str, Any]:
    """The report of one bundle without a run, with majority and the linear model of `train`.

    Needs the base install; with `train` also the extra `distill`, with `robust` also `scan`.
    """
    task = read_bundle(bundle).manifest.task
    if task.kind == "embedding":
        _refuse_robust(robust=robust)
        return report_data(task, [bundle_row(reporter, bundle, "bundle", Trial(test))], test)
    rows = _baselines(reporter, task, test, train) if train else []
    data = report_data(task, [*rows, evaluate_bundle(reporter, bundle, "bundle", test)], test)
    if robust:
        add_consistency(reporter, data, {bundle: "bundle"}, test)
    return data


def add_consistency(
    reporter: Reporter, report: dict[str, Any], models: Mapping[Path, str], test: Dataset
) -> None:
    """Put into the report how many answers of each model stay under rewriting."""
    from codewren.target import open_target
    from codewren.verbs.robust import consistency, rewordings, sentence

    reworded = rewordings(test)
    found = {
        title: consistency(reporter, open_target(path), test, reworded)
        for path, title in models.items()
    }
    report["robust"] = found
    report["verdicts"] += [sentence(title, rows) for title, rows in found.items()]


def evaluate_folder(reporter: Reporter, folder: Path, title: str, test: Dataset) -> Row:
    """One row: a folder made by finetune or distill, in torch on one thread for the latency."""
    import torch

    from codewren_distill.classifier import load_classifier
    from codewren_distill.scoring import logits_of

    classifier = load_classifier(folder)
    with reporter.step(f"evaluate {folder.name}", len(test.examples)) as bar:
        logits = logits_of(classifier, test.examples, bar.advance)
    threads, cpu = torch.get_num_threads(), torch.device("cpu")
    torch.set_num_threads(1)
    try:
        latency = p50(lambda one: logits_of(classifier, [one], device=cpu), test.examples)
    finally:
        torch.set_num_threads(threads)
    size = shipped(folder)
    return Row(title, score(logits, _labels(test)), size, latency)


def evaluate_bundle(reporter: Reporter, path: Path, title: str, test: Dataset) -> Row:
    """One row: a bundle, through the runtime on one thread."""
    model = load(path)
    answers, predicted = [], []
    with reporter.step("evaluate bundle", len(test.examples)) as bar:
        for prediction in _predictions(model, test.examples):
            answers.append([prediction.probabilities[label] for label in model.labels])
            predicted.append(model.labels.index(prediction.label))  # by the bundle's threshold
            bar.advance()

    def one(example: Example) -> object:
        if example.text2 is None:
            return model.predict(example.text)
        return model.predict_pair(example.text, example.text2)

    latency = p50(one, test.examples)
    return Row(title, score(answers, _labels(test), predicted), model.size_bytes, latency)


def _predictions(model: Model, examples: Sequence[Example]) -> Iterator[Prediction]:
    if model.task.kind == "single":
        return model.predict_many(example.text for example in examples)
    return model.predict_many((example.text, example.text2 or "") for example in examples)


def _baselines(reporter: Reporter, task: Task, test: Dataset, train: Dataset) -> list[Row]:
    from codewren.baselines import majority, tfidf_linear

    count = len(task.labels)
    with reporter.step("evaluate baselines", 2) as bar:
        simplest = majority(train.examples, test.examples, num_labels=count)
        bar.advance()
        linear = tfidf_linear(train.examples, test.examples, task.kind, seed=0, num_labels=count)
        bar.advance()
    return [Row(made.name, made.scores, made.bytes, made.latency_ms) for made in (simplest, linear)]


def _labels(test: Dataset) -> NDArray[np.int64]:
    labels = [example.label for example in test.examples]
    if any(label is None for label in labels):
        raise OptionError(f"{test.path}: evaluate needs a label on every row")
    return np.asarray(labels, dtype=np.int64)
