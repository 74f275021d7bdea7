"""Losses: soft labels at a temperature, logit regression, and plain labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, bincount
from torch.nn.functional import cross_entropy, kl_div, log_softmax, mse_loss

from codewren_runtime.errors import OptionError

__all__ = ["Loss", "LossKind", "balanced_loss", "distillation_loss", "hard_label_loss"]

LossKind = Literal["kl", "mse"]
Loss = Callable[[Tensor, Tensor], Tensor]


def hard_label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (b, labels) against label indices (b,)."""
    return cross_entropy(logits.float(), labels)


def balanced_loss(labels: Tensor, count: int) -> Loss:
    """Cross-entropy where each row weighs the inverse of the share of its label in `labels`.

    rows / (count · rows of the label): King & Zeng 2001, as scikit-learn's "balanced".
    """
    of_label = bincount(labels, minlength=count).clamp_min(1)
    weights = len(labels) / (count * of_label.float())

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(logits.float(), labels, weight=weights.to(logits.device))

    return loss


def distillation_loss(kind: LossKind, temperature: float) -> Loss:
    """Loss of the student's logits against the teacher's, both (b, labels).

    `kl`: temperature² · KL(teacher ‖ student), both softened (Hinton et al. 2015, section 2;
    Shi et al. 2022 use temperature 10). `mse`: squared difference of logits, each row
    centred since softmax ignores a common shift (Ba & Caruana 2014, equation 1).
    """
    if temperature <= 0:
        raise OptionError(f"temperature must be above 0, not {temperature}")
    if kind == "mse":
        return _centred_mse

    def kl(logits: Tensor, teacher: Tensor) -> Tensor:
        student_log = log_softmax(logits.float() / temperature, dim=-1)
        teacher_log = log_softmax(teacher.float() / temperature, dim=-1)
        divergence = kl_div(student_log, teacher_log, reduction="batchmean", log_target=True)
        return divergence * temperature**2

    return kl


def _centred_mse(logits: Tensor, teacher: Tensor) -> Tensor:
    logits, teacher = logits.float(), teacher.float()
    return mse_loss(
        logits - logits.mean(-1, keepdim=True), teacher - teacher.mean(-1, keepdim=True)
    )
