from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from codewren_distill.classifier import Classifier
from codewren_distill.losses import hard_label_loss
from codewren_distill.memory import AmongTexts, pair_lesson
from codewren_distill.pair_heads import ConcatHead
from codewren_distill.scoring import logits_of
from codewren_distill.settings import TrainingSettings
from codewren_distill.student import build_student
from codewren_distill.train import finetune
from codewren_distill.training import Progress
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture, Example, Task

SETTINGS = TrainingSettings(
    epochs=20, batch_size=8, learning_rate=5e-3, memory=True, checkpoint_seconds=0
)
WORDS = ("alpha", "beta", "gamma")


@pytest.fixture(scope="module")
def recurring() -> list[Example]:
    """Every two of thirty texts; those with a word in common are alike."""
    texts = [f"{WORDS[i % 3]} x = {i} return y" for i in range(30)]
    return [
        Example(a, b, int(a.split()[0] == b.split()[0]))
        for i, a in enumerate(texts)
        for b in texts[:i]
    ]


def test_a_memory_learns_from_pairs_of_recurring_texts(
    pair: Classifier, recurring: list[Example], tmp_path: Path
) -> None:
    finetune(pair, recurring, SETTINGS, tmp_path, identity="a")
    labels = np.array([example.label for example in recurring])
    assert (logits_of(pair, recurring).argmax(1) == labels).mean() > 0.95


def test_the_first_batch_knows_itself_alone_and_the_next_one_both(
    pair: Classifier, recurring: list[Example]
) -> None:
    """Without dropout and at rest, the memory's loss is that of the pairs themselves."""
    pair.model.eval()
    targets = torch.tensor([example.label for example in recurring])
    lesson = pair_lesson(pair, recurring, targets, hard_label_loss)
    logits = torch.from_numpy(logits_of(pair, recurring))
    numbers = {ids: at for at, ids in enumerate(lesson.encoded)}
    encode = pair.text.encode
    ends = [[numbers[(ids,)] for ids in encode(example)] for example in recurring]
    losses = []
    for begin in (0, 15):
        rows = list(range(begin, begin + 15))
        batch = lesson.text.collate([lesson.encoded[row] for row in rows])
        with torch.no_grad():
            losses.append(float(lesson.objective(pair.model, batch, torch.tensor(rows))))
    first = [at for at, (a, b) in enumerate(ends) if a < 15 and b < 15]
    # In the second batch a pair inside is met from both ends, one across from one.
    second = [at for at, (a, b) in enumerate(ends) for end in (a, b) if end >= 15]
    for rows, loss in ((first, losses[0]), (second, losses[1])):
        assert abs(float(hard_label_loss(logits[rows], targets[rows])) - loss) < 1e-4


def test_the_two_sides_of_a_pair_keep_their_order() -> None:
    """A head that is not the same both ways round gets the first text first."""

    class Model:
        def __init__(self) -> None:
            torch.manual_seed(0)
            self.head = ConcatHead(4, 2)
            self.table = torch.randn(3, 4)

        def embed(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.table[input_ids[:, 0]]

    model, targets = Model(), torch.tensor([1, 0])
    pairs = torch.tensor([[2, 0], [1, 2]])
    objective = AmongTexts(pairs, targets, hard_label_loss)
    everything = torch.tensor([0, 1, 2])
    loss = objective(model, {"input_ids": everything[:, None]}, everything)
    direct = hard_label_loss(model.head(*(model.table[pairs[:, side]] for side in (0, 1))), targets)
    assert torch.allclose(loss, direct)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("at", [2, 7])
def test_a_killed_run_remembers(
    at: int, pair_task: Task, tokenizer_json: str, recurring: list[Example], tmp_path: Path
) -> None:
    shape, settings = Architecture(300, 16, 1, 2, 16, 32), replace(SETTINGS, epochs=2)

    def fresh() -> Classifier:
        return build_student(shape, pair_task, tokenizer_json, seed=3, dropout=0.1)

    def killer(progress: Progress) -> None:
        if progress.step == at:
            raise KilledError

    whole, resumed = fresh(), fresh()
    finetune(whole, recurring, settings, tmp_path / "whole", identity="a")
    with pytest.raises(KilledError):
        finetune(fresh(), recurring, settings, tmp_path / "cut", identity="a", report=killer)
    finetune(resumed, recurring, settings, tmp_path / "cut", identity="a")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name


def test_single_texts_have_no_partners(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="siamese"):
        finetune(single, single_examples, SETTINGS, tmp_path, identity="a")
