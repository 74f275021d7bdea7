"""label: soft labels (or embeddings) on unlabelled code, by teachers or from a file, cached."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.folds import fold_count, fold_hashes, in_folds
from codewren.verbs.search import read_architecture
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.files import file_sha256, sha256_of
from codewren_runtime.types import Example, Task

if TYPE_CHECKING:
    from codewren_distill.soft_labels import SoftLabels

__all__ = ["SOFT_LABELS", "STATES", "LabelSource", "label", "reading_hash"]

SOFT_LABELS = "soft_labels.safetensors"
STATES = "teacher_states.safetensors"
PARTS = "labelling"  # one file per teacher, while several are at work


@dataclass(frozen=True, slots=True)
class LabelSource:
    """Where soft labels come from: finished teachers (none: the run's own), or a file.

    `id` is the field of the data rows that the file names them by; None: by content hash.
    With `states`, what the layers of a teacher make of each text is kept too.
    `pooling` is of an embedding task: which of an encoder's tokens its embedding is made of.
    """

    teachers: tuple[str, ...] = ()
    soft_labels: Path | None = None
    id: str | None = None
    max_length: int = 400
    states: bool = False
    pooling: Literal["mean", "first"] = "mean"

    def __post_init__(self) -> None:
        if self.teachers and self.soft_labels is not None:
            raise OptionError("label: give either teachers or a file of soft labels")
        if self.id is not None and self.soft_labels is None:
            raise OptionError("label: ids are of soft labels; name their file with --soft-labels")
        if self.states and (self.soft_labels is not None or len(self.teachers) > 1):
            raise OptionError(
                "label: states are those of one teacher whose layers can be seen, not of a file of "
                "answers or of several; leave out --states, hidden_weight and relation_weight"
            )
        if self.pooling not in ("mean", "first"):
            raise OptionError(f"pooling is mean or first, not {self.pooling!r}")

    @property
    def is_run(self) -> bool:
        """Whether it is the run's own teacher."""
        return not self.teachers and self.soft_labels is None


def label(
    run: Run,
    data: Dataset,
    task: Task,
    source: LabelSource | None = None,
    *,
    whole: Dataset | None = None,
) -> dict[str, Any]:
    """Write `run/soft_labels.safetensors` for `data`, a sample of `whole`.

    With `source.states`, `run/teacher_states.safetensors` too, for `run/architecture.json`.
    """
    source = source or LabelSource()
    names = source.teachers or (str(run.path("teacher")),)
    _check(run, task, source)
    hashes = _hashes(names, source)
    if source.states:
        _states(run, data, task, source, names[0], hashes[0])
    return _soft_labels(run, data, task, source, names, hashes, whole)


def _soft_labels(
    run: Run,
    data: Dataset,
    task: Task,
    source: LabelSource,
    names: Sequence[str],
    hashes: Sequence[str],
    whole: Dataset | None,
) -> dict[str, Any]:
    identity = hashes[0] if len(hashes) == 1 else sha256_of(hashes)
    inputs = {
        "data": data.sha256,
        "task": task.to_json(),
        "teacher": identity,
        "max_length": source.max_length,
        "pooling": source.pooling,
    }
    step = Step("label", run.path("soft_labels.json"), inputs)
    path = run.path(SOFT_LABELS)
    if done := _finished(run, step, path):
        return done
    if run.force:
        path.unlink(missing_ok=True)
        shutil.rmtree(run.path(PARTS), ignore_errors=True)
    if source.soft_labels is not None:
        soft = _from_file(run, data, task, source.soft_labels, identity, whole)
    elif len(names) == 1:
        soft = _by_teacher(run, data, task, names[0], identity, source, path)
    else:
        soft = _by_teachers(run, data, task, names, hashes, source)
        soft.teacher = identity
        soft.save(path)
    summary = _summary(soft, data, names[0])
    done = step.finish({"examples": len(data.examples), **summary, "sha256": file_sha256(path)})
    shutil.rmtree(run.path(PARTS), ignore_errors=True)
    return done


def _finished(run: Run, step: Step, path: Path) -> dict[str, Any] | None:
    """The step's result if it need not run again: `path` still is what it wrote."""
    left = step.result()
    unchanged = left is not None and path.is_file() and file_sha256(path) == left["sha256"]
    return run.finished(step) if unchanged else None


def _states(
    run: Run, data: Dataset, task: Task, source: LabelSource, name: str, identity: str
) -> None:
    from codewren_distill.states import record_states
    from codewren_distill.teachers import load_teacher

    path, depth = run.path(STATES), read_architecture(run).num_layers
    inputs = {"data": data.sha256, "teacher": identity, "student_layers": depth}
    step = Step("label states", run.path("teacher_states.json"), inputs)
    if _finished(run, step, path):
        return
    if run.force:
        path.unlink(missing_ok=True)
    teacher = load_teacher(name, task, source.max_length)
    texts = list(dict.fromkeys(text for one in data.examples for text in one.taught))
    with run.reporter.step(step.title, len(texts)) as bar:
        found = record_states(teacher, identity, texts, depth, path, advance=bar.advance)
    step.finish({"texts": len(texts), "layers": list(found.layers), "sha256": file_sha256(path)})


def _check(run: Run, task: Task, source: LabelSource) -> None:
    if task.kind == "embedding" and (len(source.teachers) > 1 or source.soft_labels is not None):
        raise OptionError("label: embeddings come from one teacher; name it with --teacher")
    if task.kind == "embedding" and source.states:
        raise OptionError("label: states are for tasks with labels; leave out --states")
    if source.is_run and not run.path("teacher/metrics.json").is_file():
        raise OptionError(
            f"{run.path('teacher')}: no finished teacher there; run finetune, or name one with "
            "--teacher"
        )


def _summary(soft: SoftLabels, data: Dataset, teacher: str) -> dict[str, Any]:
    """What label says of its work: each label's share, or whose embeddings they are."""
    if not soft.labels:
        width = next(iter(soft.logits.values())).size
        return {"texts": len(soft.logits), "width": width, "teacher": teacher}
    answers = soft.matrix(data.examples).argmax(1)
    shares = {name: float((answers == index).mean()) for index, name in enumerate(soft.labels)}
    return {"predicted": shares}


def _hashes(names: Sequence[str], source: LabelSource) -> list[str]:
    """What each teacher's answers hang on."""
    if source.soft_labels is None:
        hashes = [reading_hash(name, source.max_length, source.pooling) for name in names]
        folds = [fold_hashes(name) for name in names]
        return [sha256_of([own, of]) if of else own for own, of in zip(hashes, folds, strict=True)]
    if not source.soft_labels.is_file():
        raise DataError(f"{source.soft_labels}: no such file of soft labels — check the path")
    return [sha256_of({"soft_labels": file_sha256(source.soft_labels), "id": source.id})]


def reading_hash(teacher: str, max_length: int, pooling: str) -> str:
    """What the answers of a teacher hang on: its weights, and how it reads."""
    from codewren_distill.teachers import classifier_hash

    return sha256_of([classifier_hash(teacher), max_length, pooling])


def _from_file(
    run: Run, data: Dataset, task: Task, path: Path, identity: str, whole: Dataset | None
) -> SoftLabels:
    from codewren.data.soft_labels import read_soft_labels
    from codewren_distill.soft_labels import SoftLabels

    soft = SoftLabels(identity, task.labels, {})
    soft.add(data.examples, read_soft_labels(path, data, task.labels, whole=whole))
    run.set_task(task)
    soft.save(run.path(SOFT_LABELS))
    return soft


def _by_teacher(
    run: Run, data: Dataset, task: Task, name: str, identity: str, source: LabelSource, path: Path
) -> SoftLabels:
    from codewren_distill.embeddings import EachText
    from codewren_distill.labelling import label_examples
    from codewren_distill.teachers import load_teacher

    rows = EachText(data.examples) if task.kind == "embedding" else data.examples
    parts: list[tuple[str, Sequence[Example]]] = [(name, rows)]
    if folds := fold_count(name):
        parts = in_folds(name, rows, folds)
        run.reporter.say(f"label: {folds} teachers, each on the fold of rows that it did not see")
    with run.reporter.step("label", len(rows)) as bar:
        for teacher, own in parts:
            classifier = load_teacher(teacher, task, source.max_length, source.pooling)
            run.set_task(task)
            soft = label_examples(classifier, identity, own, path, advance=bar.advance)
    return soft


def _by_teachers(
    run: Run,
    data: Dataset,
    task: Task,
    names: Sequence[str],
    hashes: Sequence[str],
    source: LabelSource,
) -> SoftLabels:
    """One teacher after the other, so that one is in memory; each resumes in a file of its own."""
    from codewren_distill.soft_labels import mean_of

    parts = run.path(PARTS)
    return mean_of(
        [
            _by_teacher(run, data, task, name, key, source, parts / f"{key}.safetensors")
            for name, key in zip(names, hashes, strict=True)
        ]
    )
