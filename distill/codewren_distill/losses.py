"""Losses: soft labels at a temperature, logit regression, plain labels, and both together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, bincount
from torch.nn.functional import cross_entropy, kl_div, log_softmax, mse_loss

from codewren_runtime.errors import OptionError

__all__ = [
    "Loss",
    "LossKind",
    "balanced_loss",
    "distillation_loss",
    "hard_label_loss",
    "mixed_loss",
]

LossKind = Literal["kl", "mse"]
Loss = Callable[[Tensor, Tensor], Tensor]


def hard_label_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of logits (b, labels) against label indices (b,).

    With `smoothing` s a label has the probability 1 − s + s / labels, and the others share the
    rest alike (Szegedy et al. 2016, section 7).
    """
    return cross_entropy(logits.float(), labels, label_smoothing=smoothing)


def balanced_loss(labels: Tensor, count: int, smoothing: float = 0.0) -> Loss:
    """Cross-entropy where each row weighs the inverse of the share of its label in `labels`.

    rows / (count · rows of the label): King & Zeng 2001, as scikit-learn's "balanced".
    """
    of_label = bincount(labels, minlength=count).clamp_min(1)
    weights = len(labels) / (count * of_label.float())

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        weight = weights.to(logits.device)
        return cross_entropy(logits.float(), labels, weight=weight, label_smoothing=smoothing)

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


def mixed_loss(soft: Loss, weight: float, smoothing: float = 0.0) -> Loss:
    """(1 − weight) · `soft` + weight · cross-entropy with plain labels (Hinton et al. 2015).

    Its targets (b, labels + 1) are the teacher's logits and, last, the index of the label.
    """
    if not 0 <= weight <= 1:
        raise OptionError(f"hard_weight must be from 0 to 1, not {weight}")

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        labels = targets[:, -1].long()
        hard = hard_label_loss(logits, labels, smoothing)
        return (1 - weight) * soft(logits, targets[:, :-1]) + weight * hard

    return loss


def _centred_mse(logits: Tensor, teacher: Tensor) -> Tensor:
    logits, teacher = logits.float(), teacher.float()
    return mse_loss(
        logits - logits.mean(-1, keepdim=True), teacher - teacher.mean(-1, keepdim=True)
    )
