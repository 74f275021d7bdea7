"""distill: train the student from the teacher's soft labels."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Literal, get_args

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.label import SOFT_LABELS, STATES
from codewren.verbs.search import read_architecture
from codewren.verbs.training import (
    PRETRAINED,
    Watch,
    finish_training,
    finished_training,
    fresh_student,
    pretrained_in,
)
from codewren_distill.settings import FreshStudent, Precision
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256, write_bytes
from codewren_runtime.types import Architecture, Task

if TYPE_CHECKING:
    from codewren_distill.settings import TrainingSettings
    from codewren_distill.states import TeacherStates

__all__ = ["DistillSettings", "distill", "keep_samples"]

SAMPLES = 256
MAX_TEMPERATURE = 1_000


@dataclass(frozen=True, slots=True)
class DistillSettings:
    """The loss of distillation; the published recipe is KL at temperature 10, which lost here.

    `hard_weight` is the share of the loss that the rows' own labels have. `qat` is the precision
    that the student's weights are trained for (`codewren_distill.qat`). `hidden_weight` and
    `relation_weight` add what a white-box teacher's layers make of the texts
    (`codewren_distill.transfer`).
    """

    loss: Literal["kl", "mse"] = "kl"
    temperature: float = 1.0
    hard_weight: float = 0.0
    fresh: FreshStudent = field(default_factory=FreshStudent)
    qat: Precision | None = None
    hidden_weight: float = 0.0
    relation_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.loss not in ("kl", "mse"):
            raise OptionError(f"loss is kl or mse, not {self.loss!r}")
        if not 1 / MAX_TEMPERATURE <= self.temperature <= MAX_TEMPERATURE:
            raise OptionError(
                f"temperature must be from {1 / MAX_TEMPERATURE:g} to {MAX_TEMPERATURE:,}, not "
                f"{self.temperature}"
            )
        if not 0 <= self.hard_weight <= 1:
            raise OptionError(f"hard_weight must be from 0 to 1, not {self.hard_weight}")
        if self.qat not in (None, *get_args(Precision)):
            raise OptionError(f"qat is int8 or int4, not {self.qat!r}")
        for name in ("hidden_weight", "relation_weight"):
            if not 0 <= getattr(self, name) < inf:
                raise OptionError(f"{name} must be at least 0, not {getattr(self, name)}")

    @property
    def wants_states(self) -> bool:
        """Whether the teacher's states are needed, beside its answers."""
        return self.hidden_weight > 0 or self.relation_weight > 0

    def refuse_for_embeddings(self) -> None:
        """OptionError if anything is set that only labels can use."""
        if replace(self, fresh=FreshStudent()) != DistillSettings():
            raise OptionError(
                "the settings of [distill] but for the student's own are for labels, and an "
                "embedding has none; leave out loss, temperature, hard_weight, qat, hidden_weight "
                "and relation_weight"
            )


def distill(
    run: Run, data: Dataset, settings: DistillSettings, training: TrainingSettings
) -> dict[str, Any]:
    """Train `run/architecture.json` on `run/soft_labels.safetensors` into `run/student/`."""
    from codewren_distill.soft_labels import SoftLabels
    from codewren_distill.train import distill as train
    from codewren_distill.transfer import Weights

    architecture, task, path = read_architecture(run), run.task(), run.path(SOFT_LABELS)
    if task is None or not run.path("soft_labels.json").is_file():
        raise OptionError(f"{run.folder}: no finished soft labels there; run label first")
    if task.kind == "embedding":
        settings.refuse_for_embeddings()
    soft_labels = SoftLabels.load(path)
    states = _states(run, soft_labels.teacher) if settings.wants_states else None
    pretrained = pretrained_in(run, architecture, task, settings.fresh)
    inputs = {
        "architecture": architecture.to_json(),
        "task": task.to_json(),
        "data": data.sha256,
        "soft_labels": file_sha256(path),
        "teacher_states": None if states is None else file_sha256(run.path(STATES)),
        "pretrained": pretrained,
        "settings": asdict(settings),
        "training": training.to_json(),
    }
    folder = run.path("student")
    step = Step("distill", folder / "metrics.json", inputs)
    if done := finished_training(run, step):
        return done
    start = None if pretrained is None else run.path(PRETRAINED)
    layers = _mapping(run, architecture, states)
    student = fresh_student(architecture, task, data, settings.fresh, training.seed, start)
    with Watch(run.reporter, step.title) as watch:
        seconds = train(
            student,
            data.examples,
            soft_labels,
            training,
            folder,
            loss=settings.loss,
            temperature=settings.temperature,
            hard_weight=settings.hard_weight,
            qat=settings.qat,
            states=states,
            weights=Weights(settings.hidden_weight, settings.relation_weight),
            identity=step.identity,
            report=watch.report,
        )
    keep_samples(run, data, task)
    return finish_training(
        step,
        {
            "parameters": student.parameters,
            "pretrained": pretrained is not None,
            "teacher_layers": layers,
            "examples": len(data.examples),
            "seconds": round(seconds, 1),
        },
    )


def _states(run: Run, teacher: str) -> TeacherStates:
    """The states of the teacher whose soft labels the run has; OptionError if they are not there.

    A teacher that is a file of answers has none.
    """
    from codewren_distill.states import TeacherStates

    path = run.path(STATES)
    remedy = (
        "run label --states with the teacher of the soft labels, or leave out hidden_weight and "
        "relation_weight; a teacher that is a file of answers has no states"
    )
    if not path.is_file():
        raise OptionError(f"{path}: no teacher's states there; {remedy}")
    states = TeacherStates.load(path)
    if states.teacher != teacher:
        raise OptionError(f"{path}: the states are another teacher's; {remedy}")
    return states


def _mapping(
    run: Run, architecture: Architecture, states: TeacherStates | None
) -> list[int] | None:
    """Say and return the teacher's layer that each layer of the student learns from."""
    from codewren_distill.states import mapped_layers

    if states is None:
        return None
    layers = mapped_layers(architecture.num_layers, states.depth)
    pairs = ", ".join(f"{own} from {layer}" for own, layer in enumerate(layers, start=1))
    run.reporter.say(f"distill: the student's layers learn from the teacher's: {pairs}")
    return list(layers)


def keep_samples(run: Run, data: Dataset, task: Task) -> None:
    """Keep real inputs beside the student: export's gates are measured on them."""
    stride = max(1, len(data.examples) // SAMPLES)
    chosen = data.examples[::stride][:SAMPLES]
    rows = [example.texts for example in chosen]
    if task.kind == "embedding":
        rows = [(text,) for texts in rows for text in texts]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    write_bytes(run.path("student/samples.jsonl"), lines.encode())
