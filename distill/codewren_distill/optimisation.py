"""How weights move: the optimizer, its learning rate step by step, and their moving average."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from codewren_distill.settings import TrainingSettings

__all__ = ["average_of", "optimizer_of", "schedule"]


def schedule(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine to 0 (share of the learning rate)."""
    begin = max(1, round(steps * warmup))
    if step < begin:
        return (step + 1) / begin
    return 0.5 * (1 + math.cos(math.pi * (step - begin) / max(1, steps - begin)))


def average_of(model: nn.Module, decay: float) -> AveragedModel | None:
    """The moving average of a model's weights, which is what a run with `ema` keeps in the end.

    Tarvainen & Valpola, "Mean teachers" (NeurIPS 2017), equation 2.
    """
    if not decay:
        return None
    update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(model, multi_avg_fn=update).eval()


def optimizer_of(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """AdamW over every parameter; biases and norms train too, without decay.

    The original left the no-decay group out of its optimizer: its biases stayed 0.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
