"""What a training step minimises, given the model and a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from codewren_distill.classifier import TextSide
from codewren_distill.losses import Loss
from codewren_distill.text_side import Batch, Encoded

__all__ = ["Answers", "Lesson", "Objective"]


class Objective(ABC):
    """The loss of a batch, and what it must remember if training is to go on after a kill."""

    average: nn.Module | None = None

    @abstractmethod
    def __call__(self, model: Any, batch: Batch, target: Tensor) -> Tensor:
        """The loss, a scalar."""

    def state(self) -> dict[str, Tensor]:
        """All that earlier steps left behind."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        assert not state

    def follow(self, average: nn.Module | None) -> None:
        """Get to know the model of the weights' moving average, where training has one."""
        self.average = average


class Answers(Objective):
    """The model's answer to each row against the row's target; nothing to remember."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss

    def __call__(self, model: Any, batch: Batch, target: Tensor) -> Tensor:
        """The loss of the logits (b, labels)."""
        return self.loss(model(**batch), target)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a model trains on: rows, a target each, how rows become tensors, and the objective.

    Targets are (rows,) label indices or (rows, labels) logits, or what the objective wants.
    """

    encoded: Sequence[Encoded]
    targets: Tensor
    text: TextSide
    objective: Objective
