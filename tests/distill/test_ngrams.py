from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from codewren_distill.classifier import load_classifier, save_classifier
from codewren_distill.ngrams import NgramBag, fit_ngrams, shares_of
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_distill.student import build_student
from codewren_distill.train import distill, finetune
from codewren_runtime.errors import DataError, ModelError, OptionError
from codewren_runtime.types import Architecture, Example, Task

SHAPE = Architecture(300, 16, 1, 2, 16, 32)
ONE_STEP = TrainingSettings(epochs=1, batch_size=64, learning_rate=1e-6)


@pytest.fixture(scope="module")
def ordered() -> list[Example]:
    """Only the order of two words tells the labels apart: no single token does."""
    rng = random.Random(0)
    rows = []
    for label in [0, 1] * 150:
        middle = " ".join(rng.choices(["beta", "gamma", "delta"], k=rng.randint(1, 4)))
        first, second = ("alpha", "return") if label else ("return", "alpha")
        rows.append(Example(f"{middle} {first} {second} {middle}", label=label))
    return rows


def _student(task: Task, tokenizer_json: str, buckets: int = 4_096) -> object:
    return build_student(SHAPE, task, tokenizer_json, 1, FreshStudent(ngrams=buckets))


def test_it_is_fitted_before_the_encoder_trains(
    single_task: Task, tokenizer_json: str, ordered: list[Example], tmp_path: Path
) -> None:
    student = build_student(SHAPE, single_task, tokenizer_json, 1, FreshStudent(ngrams=4_096))
    finetune(student, ordered, ONE_STEP, tmp_path, identity="a")
    labels = np.array([example.label for example in ordered])
    logits = logits_of(student, ordered)
    assert (logits.argmax(1) == labels).mean() > 0.99
    assert (logits_of(load_classifier(tmp_path), ordered) == logits).all()


def test_padding_does_not_count(single_task: Task, tokenizer_json: str) -> None:
    bag = NgramBag(4_096, 1)
    bag.table.data.normal_()
    ids = torch.randint(5, 300, (1, 9))
    padded = torch.cat((ids, torch.ones(1, 6, dtype=torch.long)), dim=1)
    mask = (torch.arange(15) < 9).long()[None]
    assert torch.allclose(bag(padded, mask), bag(ids, torch.ones_like(ids)), atol=1e-6)


def test_two_tokens_are_a_text() -> None:
    bag = NgramBag(64, 2)
    answer = bag(torch.tensor([[0, 2]]), torch.ones(1, 2, dtype=torch.long))
    assert answer.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("labels", [2, 4])
def test_soft_labels_are_met(labels: int) -> None:
    """Groups of texts with a bigram of their own get the shares that their rows have."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(labels), size=5)
    encoded, targets = [], []
    for at in range(400):
        group = at % 5
        noise = [100 + int(x) for x in rng.integers(0, 20, 3)]
        encoded.append(((0, 10 + group, 20 + group, *noise, 2),))
        targets.append(np.log(shares[group]))
    bag = NgramBag(1 << 14, labels - 1)
    shares = shares_of(torch.tensor(np.array(targets)), labels)
    fit_ngrams(bag, encoded, shares, seed=0)
    ids = torch.tensor([row[0] for row in encoded])
    found = torch.softmax(bag(ids, torch.ones_like(ids)), dim=1).numpy()
    expected = shares[np.arange(400) % 5]
    # More than two labels are fitted one against the rest, which is coarser.
    assert np.abs(found - expected).mean() < (0.03 if labels == 2 else 0.08)


def test_distillation_fits_it_to_the_teacher(
    single_task: Task, tokenizer_json: str, ordered: list[Example], tmp_path: Path
) -> None:
    from codewren_distill.soft_labels import SoftLabels

    student = build_student(SHAPE, single_task, tokenizer_json, 1, FreshStudent(ngrams=4_096))
    logits = np.array([[1.0, -1.0] if e.label else [-1.0, 1.0] for e in ordered], np.float32)
    soft = SoftLabels("t", single_task.labels, {})
    soft.add(ordered, logits)
    options = {"loss": "kl", "temperature": 1.0, "identity": "a"}
    distill(student, ordered, soft, ONE_STEP, tmp_path, **options)  # type: ignore[arg-type]
    # The teacher has it the wrong way round, and the student follows, unless the labels weigh more.
    labels = np.array([example.label for example in ordered])
    assert (logits_of(student, ordered).argmax(1) == 1 - labels).mean() > 0.99
    student = build_student(SHAPE, single_task, tokenizer_json, 1, FreshStudent(ngrams=4_096))
    options |= {"hard_weight": 0.9, "identity": "b"}
    distill(student, ordered, soft, ONE_STEP, tmp_path, **options)  # type: ignore[arg-type]
    assert (logits_of(student, ordered).argmax(1) == labels).mean() > 0.99


@pytest.mark.parametrize("counting", ["share", "presence"])
def test_held_out_rows_say_what_an_ngram_counts(counting: str) -> None:
    """One word tells the labels apart, by how often it stands there or by whether at all."""
    rng, rows, labels = random.Random(0), [], []
    for at in range(400):
        label = at % 2
        times = 1 + 6 * label if counting == "share" else label * rng.choice((1, 40))
        rest = 30 if counting == "share" else rng.choice((10, 300))
        words = [(7, 8)] * times + [(rng.randint(20, 60), 9) for _ in range(rest)]
        rng.shuffle(words)
        rows.append((tuple(token for word in words for token in word),))
        labels.append(label)
    bag = NgramBag(4_096, 1)
    fit_ngrams(bag, rows, np.eye(2)[labels], seed=0)
    assert bag.counting == counting
    ids = [torch.tensor(row) for row in rows]
    answers = [int(bag(row, torch.ones_like(row)).argmax()) for row in ids]
    assert (np.array(answers) == labels).mean() > 0.9


def test_a_label_that_no_row_has_is_the_rarest_of_three() -> None:
    rows = [((0, 5 + at % 2, 2, 7),) for at in range(40)]
    bag = NgramBag(4_096, 2)
    fit_ngrams(bag, rows, np.eye(3)[[at % 2 for at in range(40)]], seed=0)
    for at, (row,) in enumerate(rows[:2]):
        ids = torch.tensor([row])
        shares = bag(ids, torch.ones_like(ids)).softmax(-1)[0]
        assert int(shares.argmax()) == at
        assert 0 < float(shares[2]) < 0.05
    with pytest.raises(DataError, match="two labels"):
        fit_ngrams(NgramBag(64, 2), rows, np.eye(3)[[1] * 40], seed=0)
    # Nor is it one that only the rows have that choose the penalty.
    fit_ngrams(NgramBag(64, 1), rows * 5, np.eye(2)[[1] + [0] * 199], seed=0)


def test_what_cannot_be(
    single_task: Task, pair_task: Task, tokenizer_json: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="choose the pair head shared"):
        _student(pair_task, tokenizer_json)
    with pytest.raises(OptionError, match="buckets"):
        FreshStudent(ngrams=-1)
    with pytest.raises(DataError, match="two labels"):
        fit_ngrams(NgramBag(64, 1), [((0, 5, 2),)] * 9, np.eye(2)[[0] * 9], 0)
    student = build_student(SHAPE, single_task, tokenizer_json, 1, FreshStudent(ngrams=64))
    save_classifier(student, tmp_path)
    (tmp_path / "ngrams.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"ngrams\.safetensors: damaged"):
        load_classifier(tmp_path)
