"""finetune: train a classifier on labelled data: the teacher, or the student's control."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.folds import (
    finish_folds,
    fold_folder,
    outside,
    require_folds,
    require_rows,
)
from codewren.verbs.training import (
    PRETRAINED,
    Watch,
    architecture_of_pretrained,
    finish_training,
    finished_training,
    fresh_student,
    pretrained_in,
)
from codewren_distill.settings import FreshStudent, Supervision
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_small
from codewren_runtime.types import Architecture, Example, Task

if TYPE_CHECKING:
    from codewren_distill.classifier import Classifier
    from codewren_distill.settings import TrainingSettings

__all__ = ["ModelSource", "finetune", "read_shape"]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model to train comes from: a checkpoint, or an architecture from scratch."""

    checkpoint: str | None = None
    architecture: Architecture | None = None
    max_length: int = 400
    pair_encoding: Literal["siamese", "cross"] = "siamese"
    fresh: FreshStudent = field(default_factory=lambda: FreshStudent(dropout=0.1))
    data_flow: str | None = None

    def __post_init__(self) -> None:
        if (self.checkpoint is None) == (self.architecture is None):
            raise OptionError("teacher: give either a checkpoint or an architecture")
        if self.pair_encoding not in ("siamese", "cross"):
            raise OptionError(f"pair_encoding is siamese or cross, not {self.pair_encoding!r}")
        if self.data_flow is not None and self.checkpoint is None:
            raise OptionError("data_flow is for a checkpoint; leave it out or name one")
        random = self.fresh.embeddings == "random"
        if self.checkpoint is not None and (self.fresh.ngrams or not random):
            raise OptionError(
                "ngrams and embeddings are for an architecture; a checkpoint has its own tokens"
            )


def finetune(
    run: Run,
    data: Dataset,
    task: Task,
    source: ModelSource,
    training: TrainingSettings,
    *,
    into: str = "teacher",
    supervision: Supervision | None = None,
    valid: Dataset | None = None,
    folds: int = 0,
) -> dict[str, Any]:
    """Train `source` on labelled `data` into `run/into/`; returns what its metrics.json says.

    The control starts from the run's pre-trained encoder where the student does. `valid` are
    labelled rows for early stopping; without, `supervision` may hold some out. With `folds` as
    many more are trained, each without one fold of the rows, which it is to label
    (`codewren.verbs.folds`).
    """
    require_folds(folds, task.kind, into)
    require_rows(data, folds)
    rules = supervision or Supervision()
    done = _finetune(run, data, task, source, training, into, rules, valid)
    for fold in range(folds):
        own = outside(data, fold, folds)
        _finetune(run, own, task, source, training, fold_folder(into, fold), rules, valid)
    finish_folds(run, into, folds)
    return done


def _finetune(
    run: Run,
    data: Dataset,
    task: Task,
    source: ModelSource,
    training: TrainingSettings,
    into: str,
    supervision: Supervision,
    valid: Dataset | None,
) -> dict[str, Any]:
    from codewren_distill.teachers import classifier_hash
    from codewren_distill.train import finetune as train

    origin = classifier_hash(source.checkpoint) if source.checkpoint else None
    pretrained = None
    if into == "control" and source.architecture is not None:
        pretrained = pretrained_in(run, source.architecture, task, source.fresh)
    inputs = {
        "data": data.sha256,
        "task": task.to_json(),
        "source": asdict(source),
        "pretrained": pretrained,
        "checkpoint": origin,
        "training": training.to_json(),
        "supervision": asdict(supervision),
        "valid": valid.sha256 if valid is not None else None,
    }
    folder = run.path(into)
    step = Step(f"finetune {into}", folder / "metrics.json", inputs)
    if done := finished_training(run, step):
        return done
    start = None if pretrained is None else run.path(PRETRAINED)
    classifier = _build(data, task, source, training.seed, start)
    examples, held_out = _rows(data, valid, supervision, training.seed)
    run.set_task(task)
    with Watch(run.reporter, step.title) as watch:
        trained = train(
            classifier,
            examples,
            training,
            folder,
            identity=step.identity,
            report=watch.report,
            supervision=supervision,
            valid=held_out,
        )
    return finish_training(
        step,
        {
            "parameters": classifier.parameters,
            "examples": len(examples),
            "seconds": round(trained.seconds, 1),
            "valid_losses": list(trained.valid_losses),
        },
    )


def _rows(
    data: Dataset, valid: Dataset | None, supervision: Supervision, seed: int
) -> tuple[Sequence[Example], Sequence[Example]]:
    """The rows that train, and those that early stopping looks at."""
    if valid is not None:
        return data.examples, valid.examples
    if not supervision.valid_share:
        return data.examples, ()
    from codewren.data.holding_out import hold_out

    return hold_out(data.examples, supervision.valid_share, seed)


def _build(
    data: Dataset, task: Task, source: ModelSource, seed: int, pretrained: Path | None
) -> Classifier:
    if source.checkpoint is not None:
        from codewren_distill.teachers import new_from_checkpoint

        own = architecture_of_pretrained(Path(source.checkpoint), task)
        if own is not None:
            _require_plain(source)
            return fresh_student(own, task, data, source.fresh, seed, Path(source.checkpoint))
        if source.data_flow is not None and task.kind == "pair":
            raise OptionError("data_flow is for single texts; leave it out for pairs")
        return new_from_checkpoint(
            source.checkpoint, task, source.max_length, source.pair_encoding, seed,
            source.data_flow, source.fresh.pair_head,
        )  # fmt: skip
    assert source.architecture is not None  # ModelSource has seen to it
    return fresh_student(source.architecture, task, data, source.fresh, seed, pretrained)


def _require_plain(source: ModelSource) -> None:
    """OptionError for ways of reading that what `pretrain` left does not know."""
    if source.data_flow is not None or source.pair_encoding == "cross":
        option = "pair_encoding cross" if source.data_flow is None else "data_flow"
        raise OptionError(
            f"{source.checkpoint}: what pretrain left reads each text alone, and no data flow; "
            f"leave out {option}"
        )


def read_shape(path: Path) -> Architecture:
    """An architecture from a JSON or TOML file, or from a search's `architecture.json`."""
    try:
        text = read_small(path).decode("utf-8-sig")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path}: cannot be read as an architecture ({error})") from error
    if isinstance(data, dict) and isinstance(data.get("architecture"), dict):
        data = data["architecture"]
    if not isinstance(data, dict):
        raise OptionError(f"{path}: expected an object with the fields of an architecture")
    try:
        return Architecture.from_json(data)
    except OptionError as error:
        raise OptionError(f"{path}: {error}") from error
