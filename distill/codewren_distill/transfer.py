"""Beside the answers, what a white-box teacher makes of a text: hidden states and relations.

Of each layer of the student, and its layer of the teacher, the pooled states of the batch's texts:

hidden      mean squared error of the teacher's states, shifted and scaled to mean 0 and variance
            1 in each layer, through a linear layer that is learnt (TinyBERT: Jiao et al., Findings
            of EMNLP 2020, equations 7 and 8). 1 is what a student gets that says the mean.
relations   Huber loss of the distances between the texts of a batch, in units of their mean
            (RKD: Park et al., CVPR 2019, equations 4 to 6)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss, pdist, smooth_l1_loss

from codewren_distill.classifier import Classifier
from codewren_distill.objectives import Lesson, Objective
from codewren_distill.states import Recorder, TeacherStates, mapped_layers
from codewren_distill.text_side import Batch
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example

__all__ = ["Transfer", "Weights", "WithProjections", "with_transfer"]


@dataclass(frozen=True, slots=True)
class Weights:
    """What hidden states and relations weigh beside the loss of the answers, which weighs 1."""

    hidden: float = 0.0
    relations: float = 0.0


class WithProjections(nn.Module):
    """A student and the linear layers that only its training needs, as one model to train."""

    def __init__(self, student: Any, projections: nn.ModuleList) -> None:
        super().__init__()
        self.student = student
        self.projections = projections

    def forward(self, **batch: Tensor) -> Any:
        """What the student answers."""
        return self.student(**batch)

    def embed(self, **batch: Tensor) -> Any:
        """Embeddings (n, H) of a siamese student."""
        return self.student.embed(**batch)

    def head(self, *embeddings: Tensor) -> Any:
        """Logits (n, labels) of a siamese student."""
        return self.student.head(*embeddings)


@dataclass
class Trainee:
    """What `codewren_distill.training.fit` trains in place of the student alone."""

    model: Any


def with_transfer(
    student: Classifier,
    lesson: Lesson,
    examples: Sequence[Example],
    rows: Sequence[tuple[str, ...]],
    states: TeacherStates,
    weights: Weights,
    seed: int,
) -> tuple[Trainee, Lesson]:
    """The student with its projections, and its lesson with what `weights` say added.

    `rows` are the texts of each row of the lesson, which are those of the examples. Raises
    DataError if the states are of other texts, or for a student of another depth.
    """
    recorder = Recorder(student.core)
    layers = mapped_layers(recorder.depth, states.depth)
    if set(layers) != set(states.layers):
        raise DataError(
            f"the teacher's states are of its layers {list(states.layers)}, a student of "
            f"{recorder.depth} layers learns from {list(layers)}; run label --states again"
        )
    taught = {text: of for one in examples for text, of in zip(one.texts, one.taught, strict=True)}
    number = {text: at for at, text in enumerate(dict.fromkeys(taught.values()))}
    texts = torch.tensor([[number[taught[text]] for text in row] for row in rows])
    table = torch.from_numpy(states.table(list(number)))
    columns = [states.layers.index(layer) for layer in layers]
    torch.manual_seed(seed)
    width = int(student.core.config.hidden_size)
    projections = nn.ModuleList(nn.Linear(width, table.shape[-1]) for _ in layers if weights.hidden)
    objective = Transfer(lesson, texts, table[:, columns], recorder, projections, weights)
    numbers = torch.arange(len(lesson.encoded))
    return (
        Trainee(WithProjections(student.model, projections)),
        Lesson(lesson.encoded, numbers, lesson.text, objective),
    )


class Transfer(Objective):
    """The loss of a lesson, and what the teacher's states add; a row's target is its number.

    `texts` (rows, texts of a row) are numbers of texts, `states` (texts, layers, H) the
    teacher's, of the layer that each of the student's learns from.
    """

    def __init__(
        self,
        lesson: Lesson,
        texts: Tensor,
        states: Tensor,
        recorder: Recorder,
        projections: nn.ModuleList,
        weights: Weights,
    ) -> None:
        self.objective: Objective = lesson.objective
        self.targets, self.texts, self.states = lesson.targets, texts, states
        self.recorder, self.projections, self.weights = recorder, projections, weights
        every = states.float()
        self.mean = every.mean(0)  # (layers, H)
        self.scale = (every - self.mean).pow(2).mean((0, 2)).sqrt().clamp_min(1e-6)  # (layers,)

    def __call__(self, model: Any, batch: Batch, target: Tensor) -> Tensor:
        """The lesson's own loss, and the weighted means over layers of both others."""
        numbers = target.cpu()
        with self.recorder:
            value = self.objective(model, batch, self.targets[numbers].to(target.device))
            students = self.recorder.pooled(batch, range(1, self.recorder.depth + 1))
        # A batch holds all first texts of its rows, then all second ones.
        teachers = self.states[self.texts[numbers].T.flatten()].to(target.device).float()
        with torch.autocast(target.device.type, enabled=False):
            for layer, student in enumerate(students):
                value = value + self._layer(layer, student, teachers[:, layer]) / len(students)
        return value

    def _layer(self, layer: int, student: Tensor, teacher: Tensor) -> Tensor:
        loss = student.new_zeros(())
        if self.weights.hidden:
            mean = self.mean[layer].to(teacher.device)
            wanted = (teacher - mean) / self.scale[layer].to(teacher.device)
            loss = loss + self.weights.hidden * mse_loss(self.projections[layer](student), wanted)
        if self.weights.relations and len(student) > 1:
            distances = smooth_l1_loss(_distances(student), _distances(teacher))
            loss = loss + self.weights.relations * distances
        return loss

    def follow(self, average: nn.Module | None) -> None:
        """For the lesson's own objective."""
        self.objective.follow(average)

    def state(self) -> dict[str, Tensor]:
        """What the lesson's own objective remembers."""
        return self.objective.state()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.objective.load_state(state)


def _distances(states: Tensor) -> Tensor:
    """Distances between n states (n, H), in units of their mean, (n · (n − 1) / 2,)."""
    distances = pdist(states)
    return distances / distances.mean().clamp_min(1e-6)
