"""Learning from the moving average of one's own weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from codewren_distill.classifier import Classifier
from codewren_distill.losses import hard_label_loss
from codewren_distill.mean_teacher import with_mean_teacher
from codewren_distill.objectives import Answers, Lesson
from codewren_distill.scoring import encode_all, logits_of
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_distill.student import build_student
from codewren_distill.text_side import Batch
from codewren_distill.train import distill, finetune
from codewren_distill.training import Progress
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture, Example, Task

SETTINGS = TrainingSettings(
    epochs=3, batch_size=8, learning_rate=5e-3, ema=0.9, token_dropout=0.1, consistency=2.0,
    checkpoint_seconds=0,
)  # fmt: skip
SHAPE = Architecture(300, 16, 1, 2, 16, 32)


class Remembering(nn.Module):
    """A model that says what another does, and keeps what it was asked."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        self.asked: list[Mapping[str, Tensor]] = []

    def forward(self, **batch: Tensor) -> Tensor:
        self.asked.append(batch)
        answer: Tensor = self.inner(**batch)
        return answer + 1.0 * torch.arange(answer.shape[-1])


@pytest.mark.parametrize("kind", ["single", "pair"])
def test_the_loss_is_that_of_the_labels_and_the_distance_of_probabilities(
    kind: str,
    single: Classifier,
    pair: Classifier,
    single_examples: list[Example],
    pair_examples: list[Example],
    tmp_path: Path,
) -> None:
    both = {"single": (single, single_examples), "pair": (pair, pair_examples)}
    classifier, given = both[kind]
    # Every second row is a rewriting of the first one's texts.
    first = given[0].texts
    rows = [replace(row, original=first) if at % 2 else row for at, row in enumerate(given[:6])]
    targets = torch.tensor([row.label for row in rows])
    plain = Lesson(encode_all(classifier, rows), targets, classifier.text, Answers(hard_label_loss))
    lesson = with_mean_teacher(plain, hard_label_loss, 3.0, rows, tmp_path, "key")
    average = Remembering(classifier.model).eval()
    lesson.objective.follow(average)
    wanted = [4, 1, 3]
    batch: Batch = lesson.text.collate([lesson.encoded[row] for row in wanted])
    with torch.no_grad():
        found = lesson.objective(classifier.model, batch, lesson.targets[wanted])
    originals = [Example.of(rows[row].taught) for row in wanted]
    expected_ids = lesson.text.collate([classifier.text.encode(row) for row in originals])
    torch.testing.assert_close(average.asked[0]["input_ids"], expected_ids["input_ids"])
    own = torch.from_numpy(logits_of(classifier, [rows[row] for row in wanted]))
    taught = torch.from_numpy(logits_of(classifier, originals)) + torch.arange(2)
    distance = (own.softmax(-1) - taught.softmax(-1)).square().mean()
    expected = hard_label_loss(own, targets[wanted]) + 3.0 * distance
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_killed_run_ends_with_the_same_weights(
    single_task: Task, tokenizer_json: str, single_examples: list[Example], tmp_path: Path
) -> None:
    copies = [replace(row, text=f"{row.text} ;", original=row.texts) for row in single_examples]
    rows = [*single_examples, *copies]

    class KilledError(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.step == 40:
            raise KilledError

    def fresh() -> Classifier:
        return build_student(SHAPE, single_task, tokenizer_json, seed=3)

    whole, resumed = fresh(), fresh()
    finetune(whole, rows, SETTINGS, tmp_path / "whole", identity="a")
    with pytest.raises(KilledError):
        finetune(fresh(), rows, SETTINGS, tmp_path / "cut", identity="a", report=kill)
    finetune(resumed, rows, SETTINGS, tmp_path / "cut", identity="a")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_rewritings_are_answered_more_alike(
    single_task: Task, tokenizer_json: str, single_examples: list[Example], tmp_path: Path
) -> None:
    """Of soft labels that say nothing of it: each row's own is drawn by chance."""
    rng = np.random.default_rng(0)
    originals = [row.texts for row in single_examples]
    copies = [Example(f"gamma {row.text}", original=row.texts) for row in single_examples]
    logits = {example_key(row): rng.normal(size=2).astype(np.float32) for row in copies}
    soft = SoftLabels("t", single_task.labels, logits)

    def apart(consistency: float) -> float:
        student = build_student(SHAPE, single_task, tokenizer_json, seed=3)
        settings = replace(SETTINGS, epochs=6, token_dropout=0.0, consistency=consistency)
        folder = tmp_path / f"{consistency}"
        distill(student, copies, soft, settings, folder,
                loss="kl", temperature=1.0, identity="a")  # fmt: skip
        one, other = (
            torch.from_numpy(logits_of(student, rows)).softmax(-1)
            for rows in (copies, [Example.of(texts) for texts in originals])
        )
        return float((one - other).abs().mean())

    assert apart(30.0) < 0.7 * apart(0.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"consistency": 1.0}, "give ema too"),
        ({"consistency": 1.0, "ema": 0.9, "memory": True}, "leave one out"),
        ({"consistency": -1.0}, "at least 0"),
        ({"consistency": float("nan")}, "at least 0"),
        ({"accumulation": 0}, "at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        TrainingSettings(**wrong)
