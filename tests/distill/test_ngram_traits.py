from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from codewren_distill.classifier import Classifier, load_classifier
from codewren_distill.models import SiameseModel
from codewren_distill.ngram_traits import fit_ngram_traits
from codewren_distill.ngrams import TraitBag
from codewren_distill.scoring import encode_all, logits_of
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_distill.student import build_student
from codewren_distill.train import distill, finetune
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Architecture, Example, Task

SHAPE = Architecture(300, 32, 1, 2, 16, 32)
FRESH = FreshStudent(pair_head="shared", ngrams=4_096)
BRIEF = TrainingSettings(epochs=1, batch_size=64, learning_rate=1e-6)
DEEDS = (("alpha", "return"), ("return", "beta"), ("gamma", "delta"), ("return", "alpha"))


def _pairs(seed: int, count: int) -> list[Example]:
    """Texts are alike if the same two words stand in the same order in both; the last do nothing.

    Only the order of words tells the first deed from the last.
    """
    rng = random.Random(seed)
    texts = []
    for at in range(160):
        noise = [" ".join(rng.choices(["x = 1", "for i in z:", "return y"], k=3)) for _ in "ab"]
        texts.append((at % 4, f"{noise[0]} {' '.join(DEEDS[at % 4])} {noise[1]} {seed * 160 + at}"))
    chosen = [rng.sample(texts, 2) for _ in range(count)]
    return [Example(a, b, int(k == j and k < 3)) for (k, a), (j, b) in chosen]


@pytest.fixture
def student(pair_task: Task, tokenizer_json: str) -> Classifier:
    return build_student(SHAPE, pair_task, tokenizer_json, 1, FRESH)


def _accuracy(student: Classifier, examples: list[Example]) -> float:
    labels = np.array([example.label for example in examples])
    return float((logits_of(student, examples).argmax(1) == labels).mean())


@pytest.mark.parametrize("settings", [BRIEF, replace(BRIEF, memory=True)])
def test_traits_are_found_from_pairs_and_told_of_new_texts(
    student: Classifier, tmp_path: Path, settings: TrainingSettings
) -> None:
    finetune(student, _pairs(0, 1_200), settings, tmp_path, identity="a")
    assert _accuracy(student, _pairs(1, 300)) > 0.95
    again = load_classifier(tmp_path)
    assert (logits_of(again, _pairs(1, 50)) == logits_of(student, _pairs(1, 50))).all()


def test_distillation_fits_them_to_what_the_teacher_says(
    student: Classifier, pair_task: Task, tmp_path: Path
) -> None:
    examples = _pairs(0, 1_200)
    right = np.array([[-3.0, 3.0] if e.label else [3.0, -3.0] for e in examples], np.float32)
    soft = SoftLabels("t", pair_task.labels, {})
    soft.add(examples, right)
    unlabelled = [replace(example, label=None) for example in examples]
    options = {"loss": "kl", "temperature": 1.0, "identity": "a"}
    distill(student, unlabelled, soft, BRIEF, tmp_path, **options)  # type: ignore[arg-type]
    assert _accuracy(student, _pairs(1, 300)) > 0.95


def test_a_seed_decides_them_and_buckets_without_a_text_stay_empty(
    pair_task: Task, tokenizer_json: str
) -> None:
    examples = _pairs(0, 600)
    shares = np.eye(2)[[example.label or 0 for example in examples]]
    tables = []
    for _ in range(2):
        student = build_student(SHAPE, pair_task, tokenizer_json, 1, FRESH)
        assert isinstance(student.model, SiameseModel)
        assert student.model.ngrams is not None
        fit_ngram_traits(student.model, encode_all(student, examples), shares, seed=0)
        tables.append(student.model.ngrams.table)
    assert torch.equal(tables[0], tables[1])
    assert 0 < (tables[0] != 0).any(1).float().mean() < 0.5
    assert (tables[0][:, 3:] == 0).all()  # three deeds, three traits


@pytest.mark.parametrize("alike", [lambda at: at % 2, lambda _: 1], ids=["in twos", "all"])
def test_pairs_without_groups_are_refused(
    student: Classifier, tmp_path: Path, alike: Callable[[int], int]
) -> None:
    pairs = [Example(f"x = {at}", f"x = {at + 1}", alike(at)) for at in range(60)]
    with pytest.raises(DataError, match=r"at least 20 texts that are alike.*leave ngrams out"):
        finetune(student, pairs, BRIEF, tmp_path, identity="a")


def test_how_often_does_not_count_nor_does_padding() -> None:
    bag = TraitBag(4_096, 3, "presence")
    bag.table.data.normal_()
    bag.bias.data.normal_()
    once, twice = torch.tensor([[5, 6, 7, 5, 6]]), torch.tensor([[5, 6, 7, 5, 6, 7, 5, 6]])
    expected = bag(once, torch.ones_like(once))
    assert torch.allclose(bag(twice, torch.ones_like(twice)), expected, atol=1e-6)
    padded = torch.cat((once, torch.ones(1, 9, dtype=torch.long)), dim=1)
    mask = (torch.arange(14) < 5).long()[None]
    assert torch.allclose(bag(padded, mask), expected, atol=1e-6)
    buckets = np.unique(bag.hashes(once)[0].numpy())
    by_hand = bag.table[buckets].sum(0) / len(buckets) ** 0.5 + bag.bias
    assert torch.allclose(expected[0], by_hand, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "fresh", "hidden_size", "says"),
    [
        ("pair", FreshStudent(ngrams=64), 32, "choose the pair head shared"),
        ("pair", FRESH, 16, "take a wider student"),
        ("embedding", FreshStudent(ngrams=64), 32, "leave them out of this embedding task"),
    ],
)
def test_where_they_have_no_place(
    tokenizer_json: str, kind: str, fresh: FreshStudent, hidden_size: int, says: str
) -> None:
    task = Task("t", kind, () if kind == "embedding" else ("a", "b"))  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=says):
        build_student(Architecture(300, hidden_size, 1, 2, 16, 32), task, tokenizer_json, 1, fresh)
