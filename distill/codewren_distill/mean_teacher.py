"""A mean teacher: a model that learns from the moving average of its own weights, too.

The average reads each row whole, without dropout and hidden tokens, and of a rewriting what it was
made from: the model is to answer alike however the row comes to it.
Tarvainen & Valpola, "Mean teachers are better role models" (NeurIPS 2017), equation 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from codewren_distill.classifier import TextSide
from codewren_distill.losses import Loss
from codewren_distill.objectives import Lesson, Objective
from codewren_distill.soft_labels import Taught
from codewren_distill.text_side import Batch, Encoded
from codewren_distill.token_file import token_file
from codewren_runtime.types import Example

__all__ = ["MeanTeacher", "with_mean_teacher"]


def with_mean_teacher(
    lesson: Lesson, loss: Loss, weight: float, examples: Sequence[Example], folder: Path, key: str
) -> Lesson:
    """The lesson of `loss` alone, and the average's answers beside it.

    `examples` are the lesson's rows. Where some are rewritings, the token ids of what they were
    made from go to `folder`, under `key`: see `codewren_distill.token_file`.
    """
    originals = lesson.encoded
    if any(example.original is not None for example in examples):
        rows = Taught(examples, range(len(examples)))
        originals = token_file(folder / "originals", key, lesson.text, rows)
    objective = MeanTeacher(loss, lesson.targets, originals, lesson.text, weight)
    return Lesson(lesson.encoded, torch.arange(len(lesson.encoded)), lesson.text, objective)


class MeanTeacher(Objective):
    """`loss` of the answers, and `weight` times the squared error of their probabilities.

    A row's target is its number: `targets` are what `loss` takes, `originals` what the average
    reads.
    """

    def __init__(
        self,
        loss: Loss,
        targets: Tensor,
        originals: Sequence[Encoded],
        text: TextSide,
        weight: float,
    ) -> None:
        self.loss, self.targets, self.weight = loss, targets, weight
        self.originals, self.text = originals, text

    def __call__(self, model: Any, batch: Batch, target: Tensor) -> Tensor:
        """The sum of both; the average's answers are taken as they are, no gradient flows there."""
        assert self.average is not None
        rows = target.cpu()
        logits = model(**batch)
        value = self.loss(logits, self.targets[rows].to(logits.device))
        whole = self.text.collate([self.originals[row] for row in rows.tolist()])
        with torch.no_grad():
            wanted = self.average(**{name: part.to(logits.device) for name, part in whole.items()})
        distance = mse_loss(logits.float().softmax(-1), wanted.float().softmax(-1))
        return value + self.weight * distance
