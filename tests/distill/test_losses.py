from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from codewren_distill.classifier import Classifier
from codewren_distill.losses import (
    LossKind,
    balanced_loss,
    distillation_loss,
    hard_label_loss,
    mixed_loss,
)
from codewren_distill.scoring import logits_of
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_distill.train import distill
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Example

KINDS: tuple[LossKind, ...] = ("kl", "mse")
seeds = st.integers(0, 2**31)
temperatures = st.floats(0.5, 20)
shares = st.floats(0, 0.9)


def batch(seed: int, rows: int = 5, labels: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Logits of a student and a teacher, and labels."""
    rng = torch.Generator().manual_seed(seed)
    student, teacher = (3 * torch.randn(rows, labels, generator=rng) for _ in range(2))
    return student, teacher, torch.randint(labels, (rows,), generator=rng)


@settings(deadline=None, max_examples=50)
@given(seeds, temperatures, st.sampled_from(KINDS), st.floats(-50, 50))
def test_distillation_is_zero_at_equality_alone_and_blind_to_a_common_shift(
    seed: int, temperature: float, kind: LossKind, shift: float
) -> None:
    student, teacher, _ = batch(seed)
    loss = distillation_loss(kind, temperature)
    assert abs(loss(teacher + shift, teacher)) < 1e-3
    assert loss(student, teacher) > 1e-4
    torch.testing.assert_close(
        loss(student + shift, teacher - shift), loss(student, teacher), rtol=1e-3, atol=1e-3
    )


@settings(deadline=None, max_examples=50)
@given(seeds)
def test_at_a_high_temperature_kl_is_the_squared_error_of_logits(seed: int) -> None:
    """Hinton et al. 2015, section 2.1: half the sum of squares over the number of labels."""
    student, teacher, _ = batch(seed)
    student, teacher = student.double(), teacher.double()
    mse = distillation_loss("mse", 1)(student, teacher)
    kl = distillation_loss("kl", 300)(student, teacher)
    torch.testing.assert_close(kl, mse / 2, rtol=0.05, atol=1e-2)


@settings(deadline=None, max_examples=50)
@given(seeds, shares, temperatures)
def test_a_mixture_is_the_weighted_mean_of_its_parts(
    seed: int, smoothing: float, temperature: float
) -> None:
    student, teacher, labels = batch(seed)
    soft = distillation_loss("kl", temperature)
    targets = torch.cat((teacher, labels[:, None]), dim=1)
    parts = soft(student, teacher), hard_label_loss(student, labels, smoothing)
    for weight in (0.0, 0.3, 1.0):
        mixed = mixed_loss(soft, weight, smoothing)(student, targets)
        torch.testing.assert_close(mixed, (1 - weight) * parts[0] + weight * parts[1])


@settings(deadline=None, max_examples=50)
@given(seeds, shares, seeds)
def test_smoothing_is_the_cross_entropy_with_smoothed_labels(
    seed: int, smoothing: float, order: int
) -> None:
    student, _, labels = batch(seed)
    smooth = torch.nn.functional.one_hot(labels, 3) * (1 - smoothing) + smoothing / 3
    expected = -(smooth * student.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(hard_label_loss(student, labels, smoothing), expected)
    rows = torch.randperm(len(labels), generator=torch.Generator().manual_seed(order))
    torch.testing.assert_close(hard_label_loss(student[rows], labels[rows], smoothing), expected)


@settings(deadline=None, max_examples=50)
@given(seeds, shares)
def test_balanced_labels_weigh_alike(seed: int, smoothing: float) -> None:
    student, _, _ = batch(seed, rows=6)
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    torch.testing.assert_close(
        balanced_loss(labels, 3, smoothing)(student, labels),
        hard_label_loss(student, labels, smoothing),
    )


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_a_weight_beyond_its_range_is_refused(weight: float) -> None:
    with pytest.raises(OptionError, match="hard_weight"):
        mixed_loss(hard_label_loss, weight)
    with pytest.raises(OptionError, match="temperature"):
        distillation_loss("kl", weight - 2)


def test_a_student_learns_labels_that_its_teacher_contradicts(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    wrong = torch.tensor([[1.0, -1.0] if e.label else [-1.0, 1.0] for e in single_examples]).numpy()
    keys = map(example_key, single_examples)
    soft = SoftLabels("t", ("safe", "vulnerable"), dict(zip(keys, wrong, strict=True)))
    training = TrainingSettings(epochs=8, batch_size=8, learning_rate=5e-3, label_smoothing=0.05)
    distill(single, single_examples, soft, training, tmp_path, loss="kl", temperature=2.0,
            identity="a", hard_weight=0.9)  # fmt: skip
    labels = torch.tensor([example.label for example in single_examples]).numpy()
    assert (logits_of(single, single_examples).argmax(1) == labels).mean() > 0.9
    with pytest.raises(DataError, match="rows have none"):
        distill(single, [Example(e.text) for e in single_examples], soft, training, tmp_path,
                loss="kl", temperature=2.0, identity="b", hard_weight=0.5)  # fmt: skip
    with pytest.raises(OptionError, match="hard_weight"):
        distill(single, single_examples, soft, training, tmp_path, loss="kl", temperature=2.0,
                identity="b")  # fmt: skip
