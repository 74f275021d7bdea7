"""Early stopping: the weights of the epoch with the lowest loss on rows that train nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from codewren_distill.checkpoint import below
from codewren_distill.losses import Loss
from codewren_distill.objectives import Lesson
from codewren_distill.scoring import score_batches
from codewren_runtime.errors import ModelError

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Judges a model after each epoch; over after `patience` epochs without a lower loss.

    The loss and not the accuracy: a teacher hands on probabilities, which go wrong by
    over-confidence long before its labels do.
    """

    def __init__(self, rows: Lesson, loss: Loss, patience: int) -> None:
        self.rows, self.loss, self.patience = rows, loss, patience
        self.losses: list[float] = []
        self.best: dict[str, Tensor] = {}

    @property
    def best_epoch(self) -> int:
        """The epoch (from 1) whose weights are kept; 0 before the first."""
        return self.losses.index(min(self.losses)) + 1 if self.losses else 0

    @property
    def over(self) -> bool:
        """Whether training has gone on long enough without getting better."""
        return len(self.losses) - self.best_epoch >= self.patience > 0

    def judge(self, model: nn.Module) -> None:
        """Measure the model after one more epoch; keep its weights if they are the best."""
        self.losses.append(self._measure(model))
        if self.best_epoch == len(self.losses):
            self.best = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """What a resumed run needs: the losses so far and the best weights."""
        losses = torch.tensor(self.losses, dtype=torch.float64)
        return {"losses": losses, **{f"best.{k}": v for k, v in self.best.items()}}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`."""
        self.losses = cast(list[float], state["losses"].tolist())
        self.best = below("best.", state)

    @torch.no_grad()
    def _measure(self, model: Any) -> float:
        training, device = model.training, next(model.parameters()).device
        model.eval()
        logits, targets = [], []
        for rows in score_batches(self.rows.encoded):
            batch = self.rows.text.collate([self.rows.encoded[row] for row in rows])
            answer = model(**{name: value.to(device) for name, value in batch.items()})
            logits.append(answer.float().cpu())
            targets.append(self.rows.targets[rows])
        model.train(training)
        loss = float(self.loss(torch.cat(logits), torch.cat(targets)))
        if not loss < float("inf"):
            raise ModelError(
                f"training: the loss on the validation rows is {loss} after epoch "
                f"{len(self.losses) + 1}; lower the learning rate"
            )
        return loss
