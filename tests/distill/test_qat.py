"""Training for a precision: what it leaves behind, and after a kill."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from codewren_distill.classifier import Classifier, load_classifier
from codewren_distill.labelling import label_examples
from codewren_distill.qat import Rounding
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_distill.student import build_student
from codewren_distill.train import distill
from codewren_distill.training import Progress
from codewren_runtime.types import Architecture, Example, Task

SHAPE = Architecture(300, 32, 1, 2, 32, 64)
SETTINGS = TrainingSettings(epochs=4, batch_size=8, learning_rate=5e-3, checkpoint_seconds=0)
LEARNING = [replace(SETTINGS, ema=ema) for ema in (0.0, 0.9)]


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def examples(single_examples: list[Example]) -> list[Example]:
    return [Example(example.text) for example in single_examples]


@pytest.fixture(scope="module")
def soft(
    examples: list[Example],
    single_task: Task,
    tokenizer_json: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> SoftLabels:
    teacher = build_student(SHAPE, single_task, tokenizer_json, seed=4)
    return label_examples(teacher, "t", examples, tmp_path_factory.mktemp("soft") / "s")


@pytest.fixture
def fresh(single_task: Task, tokenizer_json: str) -> Classifier:
    return build_student(
        SHAPE, single_task, tokenizer_json, seed=3, fresh=FreshStudent(ngrams=2048)
    )


def train(
    student: Classifier,
    examples: list[Example],
    soft: SoftLabels,
    settings: TrainingSettings,
    folder: Path,
    stop_at: int = 0,
) -> None:
    def report(progress: Progress) -> None:
        if progress.step == stop_at:
            raise KilledError

    distill(
        student, examples, soft, settings, folder,
        loss="mse", temperature=1.0, identity="a", qat="int4", report=report,
    )  # fmt: skip


@pytest.mark.parametrize("settings", LEARNING, ids=["plain", "average"])
def test_the_student_is_an_ordinary_one_with_rounded_weights(
    fresh: Classifier,
    examples: list[Example],
    soft: SoftLabels,
    settings: TrainingSettings,
    tmp_path: Path,
) -> None:
    names = set(fresh.model.state_dict())
    train(fresh, examples, soft, settings, tmp_path)
    kept = load_classifier(tmp_path)
    assert set(kept.model.state_dict()) == names
    values = kept.core.classifier.dense.weight
    # 16 steps in each block of 32 weights of a column.
    assert max(len(column.unique()) for column in values) <= 16
    before = logits_of(kept, examples)
    Rounding(kept, "int4").settle()
    assert abs(logits_of(kept, examples) - before).max() < 1e-5
    answers = before.argmax(1) == soft.matrix(examples).argmax(1)
    assert answers.mean() > 0.9


@pytest.mark.parametrize("settings", LEARNING, ids=["plain", "average"])
@pytest.mark.parametrize("at", [1, 20])
def test_a_killed_run_ends_with_the_same_weights(
    at: int,
    settings: TrainingSettings,
    single_task: Task,
    tokenizer_json: str,
    examples: list[Example],
    soft: SoftLabels,
    tmp_path: Path,
) -> None:
    whole, cut, resumed = (
        build_student(SHAPE, single_task, tokenizer_json, seed=3) for _ in range(3)
    )
    train(whole, examples, soft, settings, tmp_path / "whole")
    with pytest.raises(KilledError):
        train(cut, examples, soft, settings, tmp_path / "cut", stop_at=at)
    train(resumed, examples, soft, settings, tmp_path / "cut")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_what_fails_leaves_the_weights_as_they_were(fresh: Classifier) -> None:
    before = {name: value.clone() for name, value in fresh.model.state_dict().items()}
    weight = "model.classifier.dense.weight"

    def fails() -> None:
        with Rounding(fresh, "int8").applied():
            assert not torch.equal(fresh.model.state_dict()[weight], before[weight])
            raise KilledError

    with pytest.raises(KilledError):
        fails()
    for name, value in fresh.model.state_dict().items():
        assert torch.equal(value, before[name]), name
