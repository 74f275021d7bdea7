from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as reference

from codewren_runtime.errors import ModelError
from codewren_runtime.metrics import accuracy, auc, f1, score

Case = tuple[NDArray[np.float64], NDArray[np.int64]]


@st.composite
def cases(draw: st.DrawFn, least: int = 2, most: int = 5) -> Case:
    labels = draw(st.integers(least, most))
    count = draw(st.integers(1, 40))
    # Few distinct values, so that ties are common.
    value = st.integers(-4, 4).map(lambda v: v / 2)
    rows = draw(
        st.lists(st.lists(value, min_size=labels, max_size=labels), min_size=count, max_size=count)
    )
    truth = draw(st.lists(st.integers(0, labels - 1), min_size=count, max_size=count))
    return np.array(rows, dtype=np.float64), np.array(truth, dtype=np.int64)


@settings(deadline=None)
@given(cases())
def test_accuracy_and_f1_equal_scikit_learns(case: Case) -> None:
    values, labels = case
    got, predicted = score(values, labels), values.argmax(1)
    average = "binary" if values.shape[1] == 2 else "macro"
    expected = reference.f1_score(labels, predicted, average=average, zero_division=0)
    assert got.accuracy == pytest.approx(reference.accuracy_score(labels, predicted))
    assert got.f1 == pytest.approx(expected)
    assert got.count == len(labels)


@settings(deadline=None)
@given(cases(most=2))
def test_auc_equals_scikit_learns_with_ties(case: Case) -> None:
    values, labels = case
    got = auc(values, labels)
    if len(set(labels.tolist())) < 2:
        assert got is None
    else:
        assert got == pytest.approx(reference.roc_auc_score(labels, values[:, 1] - values[:, 0]))


@settings(deadline=None)
@given(cases(most=2))
def test_logits_and_their_probabilities_score_the_same(case: Case) -> None:
    values, labels = case
    exponentials = np.exp(values)
    from_probabilities = score(exponentials / exponentials.sum(1, keepdims=True), labels)
    # Equal differences of logits may differ in the last digit after the softmax: no exact AUC.
    assert from_probabilities.accuracy == score(values, labels).accuracy
    assert from_probabilities.f1 == score(values, labels).f1


def test_auc_tells_tiny_probabilities_apart() -> None:
    tiny = np.array([1e-30, 1e-20])
    assert auc(np.stack([1 - tiny, tiny], 1), [0, 1]) == 1.0


def test_auc_is_none_for_more_labels_than_two() -> None:
    assert score(np.eye(3), [0, 1, 2]).auc is None


def test_a_perfect_and_a_useless_classifier() -> None:
    assert asdict(score([[1, 0], [0, 1]], [0, 1])) == {
        "accuracy": 1.0,
        "f1": 1.0,
        "auc": 1.0,
        "count": 2,
    }
    assert asdict(score([[1, 0], [1, 0]], [0, 1])) == {
        "accuracy": 0.5,
        "f1": 0.0,
        "auc": 0.5,
        "count": 2,
    }


def test_scores_are_plain_json_values() -> None:
    values = np.array([[0.1, 0.9], [0.6, 0.4]], dtype=np.float32)
    assert json.loads(json.dumps(asdict(score(values, np.array([1, 0], dtype=np.int8)))))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_output_that_is_not_finite_is_the_models_fault(value: float) -> None:
    with pytest.raises(ModelError, match="diverged"):
        score([[0.0, value]], [0])


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([[0.0, 1.0]], [0, 1]),
        ([[0.0, 1.0]], [2]),
        ([[0.0, 1.0]], [-1]),
        ([[0.0, 1.0]], [0.5]),
        ([[0.0]], [0]),
        ([0.0, 1.0], [0, 1]),
        (np.zeros((0, 2)), []),
    ],
)
def test_misfits_are_refused(values: object, labels: object) -> None:
    with pytest.raises(ValueError, match=r"must|need"):
        score(values, labels)  # type: ignore[arg-type]


def test_accuracy_and_f1_need_examples() -> None:
    with pytest.raises(ValueError, match="at least one"):
        accuracy([], [])
    with pytest.raises(ValueError, match="at least one"):
        f1([0], [0, 1], 2)


def test_a_prediction_may_be_by_a_threshold() -> None:
    values, truth = [[0.4, 0.6], [0.7, 0.3], [0.2, 0.8]], [0, 0, 1]
    by_threshold = score(values, truth, [0, 0, 1])
    assert (by_threshold.accuracy, by_threshold.f1) == (1, 1)
    assert by_threshold.auc == score(values, truth).auc
    assert score(values, truth).accuracy < 1
    with pytest.raises(ValueError, match="as many predictions"):
        score(values, truth, [0, 1])
