"""Early stopping, frozen layers and class weights, on real trainings of tiny models."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from codewren.data.holding_out import hold_out
from codewren_distill.classifier import Classifier, load_classifier
from codewren_distill.losses import balanced_loss
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, Supervision, TrainingSettings
from codewren_distill.student import build_student
from codewren_distill.train import finetune
from codewren_distill.training import LOG, Progress
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Architecture, Example, Task

SETTINGS = TrainingSettings(epochs=8, batch_size=8, learning_rate=2e-2, checkpoint_seconds=0)
SHAPE = Architecture(300, 16, 3, 2, 16, 32)


@pytest.fixture
def noise(single_examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """Labels by chance: learning them by heart makes every other row worse."""
    rng = random.Random(0)
    rows = [Example(e.text, label=rng.randrange(2)) for e in single_examples]
    return rows[:60], rows[60:]


@pytest.fixture
def fresh(single_task: Task, tokenizer_json: str) -> Classifier:
    return build_student(SHAPE, single_task, tokenizer_json, seed=3, fresh=FreshStudent(0.1))


def _loss(model: Classifier, rows: list[Example]) -> float:
    labels = torch.tensor([row.label for row in rows])
    return float(cross_entropy(torch.from_numpy(logits_of(model, rows)), labels))


def test_the_best_epoch_is_kept_and_patience_ends_it(
    fresh: Classifier, noise: tuple[list[Example], list[Example]], tmp_path: Path
) -> None:
    rows, valid = noise
    trained = finetune(fresh, rows, SETTINGS, tmp_path, identity="a",
                       supervision=Supervision(patience=2), valid=valid)  # fmt: skip
    losses = trained.valid_losses
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < SETTINGS.epochs
    assert _loss(fresh, valid) == pytest.approx(losses[best], abs=1e-5)
    assert _loss(load_classifier(tmp_path), valid) == pytest.approx(losses[best], abs=1e-5)
    assert len((tmp_path / LOG).read_text().splitlines()) == 8 * len(losses)


@pytest.mark.parametrize("at", [5, 8, 9, 17, 24])
def test_a_killed_run_keeps_the_same_epoch(
    at: int,
    single_task: Task,
    tokenizer_json: str,
    noise: tuple[list[Example], list[Example]],
    tmp_path: Path,
) -> None:
    rows, valid = noise

    def kill(progress: Progress) -> None:
        if progress.step == at:
            raise KeyboardInterrupt

    def train(name: str, report: object = None) -> tuple[Classifier, tuple[float, ...]]:
        model = build_student(SHAPE, single_task, tokenizer_json, seed=3, fresh=FreshStudent(0.1))
        trained = finetune(model, rows, SETTINGS, tmp_path / name, identity="a", report=report,  # type: ignore[arg-type]
                           supervision=Supervision(patience=2), valid=valid)  # fmt: skip
        return model, trained.valid_losses

    whole, losses = train("whole")
    assert len(losses) >= 3
    with pytest.raises(KeyboardInterrupt):
        train("cut", kill)
    resumed, again = train("cut")
    assert again == losses
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    one, other = ((tmp_path / n / LOG).read_text() for n in ("whole", "cut"))
    assert one == other


def test_frozen_layers_stay_and_the_rest_trains(
    fresh: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in fresh.model.named_parameters()}
    once = TrainingSettings(epochs=1, batch_size=16)
    finetune(fresh, single_examples, once, tmp_path, identity="a",
             supervision=Supervision(freeze_layers=2))  # fmt: skip
    still = {n for n, v in fresh.model.named_parameters() if torch.equal(v, before[n])}
    frozen = {n for n in before if "embeddings" in n or "layer.0." in n or "layer.1." in n}
    assert frozen
    assert still - frozen <= {n for n in before if n.endswith("key.bias")}
    assert frozen <= still
    with pytest.raises(OptionError, match="more than the 3 layers"):
        finetune(fresh, single_examples, once, tmp_path, identity="a",
                 supervision=Supervision(freeze_layers=4))  # fmt: skip


def test_balanced_weights_make_labels_count_alike() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    logits = torch.tensor([[0.3, -0.2], [1.0, 0.1], [0.0, 0.7], [0.4, 0.2]])
    each = cross_entropy(logits, labels, reduction="none")
    wanted = (each[:3].mean() + each[3]) / 2
    assert float(balanced_loss(labels, 2)(logits, labels)) == pytest.approx(float(wanted))
    assert torch.isfinite(balanced_loss(labels, 3)(torch.zeros(1, 3), torch.tensor([2])))


def test_held_out_rows_are_of_every_label_and_no_code_is_on_both_sides() -> None:
    rows = [Example(f"f{i % 70}", label=int(i % 70 < 20)) for i in range(100)]
    rest, held = hold_out(rows, 0.2, seed=1)
    assert {row.text for row in rest}.isdisjoint(row.text for row in held)
    assert len(rest) + len(held) == 100
    texts = {row.text: row.label for row in held}
    assert sorted(texts.values()) == [0] * 10 + [1] * 4
    assert hold_out(rows, 0.2, seed=1) == (rest, held)
    assert hold_out(rows, 0.2, seed=2)[1] != held
    with pytest.raises(DataError, match="without rows"):
        hold_out(rows[:2], 0.01, seed=0)
