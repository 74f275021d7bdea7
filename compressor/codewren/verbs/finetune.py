"""finetune: train a classifier on labelled data: the teacher, or the student's control."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.training import Watch, draw_curves, finished_training
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_small
from codewren_runtime.types import Architecture, Task

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
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if (self.checkpoint is None) == (self.architecture is None):
            raise OptionError("teacher: give either a checkpoint or an architecture")
        if self.pair_encoding not in ("siamese", "cross"):
            raise OptionError(f"pair_encoding is siamese or cross, not {self.pair_encoding!r}")


def finetune(
    run: Run,
    data: Dataset,
    task: Task,
    source: ModelSource,
    training: TrainingSettings,
    *,
    into: str = "teacher",
) -> dict[str, Any]:
    """Train `source` on labelled `data` into `run/into/`; returns what its metrics.json says."""
    from codewren_distill.teachers import classifier_hash
    from codewren_distill.train import discard_state
    from codewren_distill.train import finetune as train

    origin = classifier_hash(source.checkpoint) if source.checkpoint else None
    inputs = {
        "data": data.sha256,
        "task": task.to_json(),
        "source": asdict(source),
        "checkpoint": origin,
        "training": training.to_json(),
    }
    folder = run.path(into)
    step = Step(f"finetune {into}", folder / "metrics.json", inputs)
    if done := finished_training(run, step):
        return done
    if run.force:
        discard_state(folder)
    classifier = _build(data, task, source, training.seed)
    run.set_task(task)
    with Watch(run.reporter, step.title) as watch:
        seconds = train(
            classifier, data.examples, training, folder, identity=step.identity, report=watch.report
        )
    loss = draw_curves(folder)
    done = step.finish(
        {
            "parameters": classifier.parameters,
            "examples": len(data.examples),
            "seconds": round(seconds, 1),
            "loss": loss,
            "sha256": classifier_hash(str(folder)),
        }
    )
    discard_state(folder)
    return done


def _build(data: Dataset, task: Task, source: ModelSource, seed: int) -> Classifier:
    if source.checkpoint is not None:
        from codewren_distill.teachers import new_from_checkpoint

        return new_from_checkpoint(
            source.checkpoint, task, source.max_length, source.pair_encoding, seed
        )
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import train_tokenizer

    architecture = source.architecture
    if architecture is None:
        raise OptionError("teacher: give either a checkpoint or an architecture")
    texts = dict.fromkeys(text for example in data.examples for text in example.texts)
    tokenizer = train_tokenizer(texts, architecture.vocab_size, task.normalisation)
    return build_student(architecture, task, tokenizer, seed, source.dropout)


def read_shape(path: Path) -> Architecture:
    """An architecture from a JSON or TOML file, or from a search's `architecture.json`."""
    try:
        text = read_small(path).decode("utf-8")
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
