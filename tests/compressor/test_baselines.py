from __future__ import annotations

import random
import sys
from dataclasses import replace

import numpy as np
import pytest

from codewren.baselines import COLUMNS, Baseline, majority, tfidf_linear
from codewren_runtime.errors import DataError, MissingExtraError
from codewren_runtime.metrics import score
from codewren_runtime.types import Example

WORDS = ("open", "close", "read", "write", "malloc", "free", "copy", "send")


def singles(count: int, seed: int, labels: int = 2) -> list[Example]:
    """Texts of noise; each label has a word of its own."""
    rng = random.Random(seed)
    made = []
    for at in range(count):
        label = at % labels
        noise = " ".join(rng.choices(WORDS, k=8))
        made.append(
            Example(f"{noise} {['strcpy', 'strncpy', 'strlcpy'][label]}(a, b);", None, label)
        )
    return made


def pairs(count: int, seed: int) -> list[Example]:
    """Pairs of the same words in another order, or of other words."""
    rng = random.Random(seed)
    made = []
    for at in range(count):
        words = rng.sample(WORDS, 4)
        other = words if at % 2 else [word for word in WORDS if word not in words]
        made.append(Example(" ".join(words), " ".join(rng.sample(other, 4)), at % 2))
    return made


def check(baseline: Baseline, test: list[Example], labels: int) -> None:
    truth = [example.label for example in test]
    assert baseline.probabilities.shape == (len(test), labels)
    assert baseline.probabilities.sum(1) == pytest.approx(np.ones(len(test)), abs=1e-5)
    assert baseline.scores == score(baseline.probabilities, truth)  # type: ignore[arg-type]


def test_majority_is_the_most_frequent_training_label() -> None:
    train = [Example("x", None, label) for label in (1, 1, 0)]
    test = [Example("x", None, label) for label in (0, 0, 0, 1)]
    baseline = majority(train, test)
    check(baseline, test, 2)
    assert (baseline.name, baseline.bytes, baseline.latency_ms) == ("majority", 0, 0.0)
    assert (baseline.scores.accuracy, baseline.scores.auc) == (0.25, 0.5)


def test_the_linear_model_learns_single_texts() -> None:
    train, test = singles(60, 0), singles(20, 1)
    baseline = tfidf_linear(train, test, "single", seed=0)
    check(baseline, test, 2)
    assert baseline.name == "TF-IDF linear"
    assert baseline.scores.accuracy == 1.0
    assert baseline.bytes == 4 * (2 * COLUMNS + 1)
    assert baseline.latency_ms > 0


def test_the_linear_model_learns_pairs_the_same_both_ways_round() -> None:
    train, test = pairs(80, 0), pairs(20, 1)
    baseline = tfidf_linear(train, test, "pair", seed=0)
    check(baseline, test, 2)
    assert baseline.scores.accuracy == 1.0
    assert 0 < baseline.bytes < 10_000
    turned = [replace(e, text=e.text2 or "", text2=e.text) for e in test]
    again = tfidf_linear(train, turned, "pair", seed=0)
    assert again.probabilities == pytest.approx(baseline.probabilities)


def test_more_labels_than_two_and_labels_without_training_rows() -> None:
    train, test = singles(60, 0, labels=3), singles(21, 1, labels=3)
    baseline = tfidf_linear(train, test, "single", seed=0, num_labels=4)
    check(baseline, test, 4)
    assert baseline.scores.accuracy == 1.0
    assert baseline.scores.auc is None
    assert not baseline.probabilities[:, 3].any()
    assert baseline.bytes == 4 * (COLUMNS + 3 * (COLUMNS + 1))
    check(majority(train, test, num_labels=4), test, 4)


def test_the_same_data_gives_the_same_scores() -> None:
    train, test = singles(60, 0), singles(20, 1)
    first, second = (tfidf_linear(train, test, "single", seed=3) for _ in range(2))
    assert (first.probabilities == second.probabilities).all()


def test_texts_too_short_for_a_term_and_odd_characters_do_no_harm() -> None:
    odd = [
        Example(text, None, at % 2)
        for at, text in enumerate(["x", "", "\0\0\0\0", "\N{SNOWMAN}" * 5])
    ]
    check(tfidf_linear(odd, odd, "single", seed=0), odd, 2)


def test_examples_that_cannot_be_used() -> None:
    good = singles(4, 0)
    with pytest.raises(DataError, match="need training examples"):
        majority([], good)
    with pytest.raises(DataError, match="label on each test example, 1 have none"):
        tfidf_linear(good, [Example("x")], "single", seed=0)
    with pytest.raises(DataError, match="all have one label"):
        tfidf_linear(good[:1], good, "single", seed=0)
    with pytest.raises(DataError, match="a pair task, but an example has 1 text"):
        tfidf_linear(good, good, "pair", seed=0)
    with pytest.raises(DataError, match="a single task, but an example has 2 text"):
        tfidf_linear(pairs(4, 0), good, "single", seed=0)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'codewren\[distill\]'"):
        tfidf_linear(singles(4, 0), singles(4, 1), "single", seed=0)
