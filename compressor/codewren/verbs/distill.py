"""distill: train the student from the teacher's soft labels."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.label import SOFT_LABELS
from codewren.verbs.search import read_architecture
from codewren.verbs.training import Watch, draw_curves, finished_training, fresh_student
from codewren_distill.settings import FreshStudent
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256, write_bytes
from codewren_runtime.types import Task

if TYPE_CHECKING:
    from codewren_distill.settings import TrainingSettings

__all__ = ["DistillSettings", "distill", "keep_samples"]

SAMPLES = 256


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """The loss of distillation; the published recipe is KL at temperature 10.

    `hard_weight` is the share of the loss that the rows' own labels have.
    """

    loss: Literal["kl", "mse"] = "kl"
    temperature: float = 4.0
    hard_weight: float = 0.0
    fresh: FreshStudent = field(default_factory=FreshStudent)

    def __post_init__(self) -> None:
        if self.loss not in ("kl", "mse"):
            raise OptionError(f"loss is kl or mse, not {self.loss!r}")
        if not 0 < self.temperature < inf:
            raise OptionError(f"temperature must be above 0, not {self.temperature}")
        if not 0 <= self.hard_weight <= 1:
            raise OptionError(f"hard_weight must be from 0 to 1, not {self.hard_weight}")

    def refuse_for_embeddings(self) -> None:
        """OptionError if anything is set that only labels can use."""
        if replace(self, fresh=FreshStudent()) != DistillSettings():
            raise OptionError(
                "loss, temperature and hard_weight are for labels, and an embedding has none; "
                "leave them out"
            )


def distill(
    run: Run, data: Dataset, settings: DistillSettings, training: TrainingSettings
) -> dict[str, Any]:
    """Train `run/architecture.json` on `run/soft_labels.safetensors` into `run/student/`."""
    from codewren_distill.soft_labels import SoftLabels
    from codewren_distill.teachers import classifier_hash
    from codewren_distill.train import discard_state
    from codewren_distill.train import distill as train

    architecture, task, path = read_architecture(run), run.task(), run.path(SOFT_LABELS)
    if task is None or not run.path("soft_labels.json").is_file():
        raise OptionError(f"{run.folder}: no finished soft labels there; run label first")
    if task.kind == "embedding":
        settings.refuse_for_embeddings()
    inputs = {
        "architecture": architecture.to_json(),
        "task": task.to_json(),
        "data": data.sha256,
        "soft_labels": file_sha256(path),
        "settings": asdict(settings),
        "training": training.to_json(),
    }
    folder = run.path("student")
    step = Step("distill", folder / "metrics.json", inputs)
    if done := finished_training(run, step):
        return done
    if run.force:
        discard_state(folder)
    student = fresh_student(architecture, task, data, settings.fresh, training.seed)
    with Watch(run.reporter, step.title) as watch:
        seconds = train(
            student,
            data.examples,
            SoftLabels.load(path),
            training,
            folder,
            loss=settings.loss,
            temperature=settings.temperature,
            hard_weight=settings.hard_weight,
            identity=step.identity,
            report=watch.report,
        )
    loss = draw_curves(folder)
    keep_samples(run, data, task)
    done = step.finish(
        {
            "parameters": student.parameters,
            "examples": len(data.examples),
            "seconds": round(seconds, 1),
            "loss": loss,
            "sha256": classifier_hash(str(folder)),
        }
    )
    discard_state(folder)
    return done


def keep_samples(run: Run, data: Dataset, task: Task) -> None:
    """Keep real inputs beside the student: export's gates are measured on them."""
    stride = max(1, len(data.examples) // SAMPLES)
    chosen = data.examples[::stride][:SAMPLES]
    rows = [example.texts for example in chosen]
    if task.kind == "embedding":
        rows = [(text,) for texts in rows for text in texts]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_bytes(run.path("student/samples.jsonl"), lines.encode())
