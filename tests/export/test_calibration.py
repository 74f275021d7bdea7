from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren_export.calibration import (
    COLDEST,
    HOTTEST,
    MIN_ROWS,
    Criterion,
    calibration_error,
    fit_decision,
    fit_temperature,
    fit_threshold,
    parse_criterion,
    plain_decision,
)
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Task

TWO = Task("t", "single", ("safe", "vulnerable"))
THREE = Task("t", "single", ("a", "b", "c"))


def _rows(seed: int, true_temperature: float, labels: int = 2, count: int = 20_000):  # type: ignore[no-untyped-def]
    """Logits, and labels drawn from their softmax at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, labels)) * 3
    noise = rng.gumbel(size=logits.shape)
    return logits, (logits / true_temperature + noise).argmax(1)


def _nll(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    scaled = logits / temperature
    scaled -= scaled.max(1, keepdims=True)
    own = scaled[np.arange(len(labels)), labels]
    return float((np.log(np.exp(scaled).sum(1)) - own).mean())


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(weights / weights.sum(1, keepdims=True))


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("labels", [2, 4])
def test_the_temperature_that_drew_the_labels_is_found(true: float, labels: int) -> None:
    logits, drawn = _rows(1, true, labels)
    assert fit_temperature(logits, drawn) == pytest.approx(true, rel=0.05)
    decision = fit_decision(logits, drawn, TWO if labels == 2 else _task(4), FIXED, "rows")
    assert decision.calibration["ece_after"] < 0.02
    if true != 1:
        assert decision.calibration["ece_after"] < decision.calibration["ece_before"] / 3


FIXED = Criterion("fixed")


def _task(labels: int) -> Task:
    return Task("t", "single", tuple("abcdefgh"[:labels]))


@given(st.integers(0, 1000), st.floats(0.2, 5))
def test_no_temperature_is_likelier(seed: int, true: float) -> None:
    logits, labels = _rows(seed, true, 3, 100)
    best = fit_temperature(logits, labels)
    assert COLDEST <= best <= HOTTEST
    for other in np.geomspace(COLDEST, HOTTEST, 30):
        assert _nll(logits, labels, best) <= _nll(logits, labels, other) + 1e-9


def test_rows_that_are_all_right_or_all_wrong_end_at_the_bounds() -> None:
    logits, _ = _rows(0, 1, 2, 50)
    assert fit_temperature(logits, logits.argmax(1)) == pytest.approx(COLDEST)
    assert fit_temperature(logits, logits.argmin(1)) == pytest.approx(HOTTEST)


def test_calibration_error_of_known_cases() -> None:
    sure = np.array([[1.0, 0.0]] * 4)
    assert calibration_error(sure, np.array([0, 0, 0, 0])) == 0
    assert calibration_error(sure, np.array([0, 0, 1, 1])) == pytest.approx(0.5)
    toss = np.array([[0.7, 0.3]] * 10)
    assert calibration_error(toss, np.array([0] * 7 + [1] * 3)) == pytest.approx(0, abs=1e-12)


def _quality(kind: str, probabilities: np.ndarray, positives: np.ndarray, at: float) -> float:
    named = probabilities >= at
    right = (named & positives).sum()
    if kind == "accuracy":
        return float((named == positives).mean())
    return float(2 * right / max(1, named.sum() + positives.sum()))


@given(st.integers(0, 1000), st.sampled_from(["accuracy", "f1"]))
def test_no_threshold_is_better(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.random(60).round(2)
    positives = rng.random(60) < probabilities**2
    best = fit_threshold(probabilities, positives, parse_criterion(kind))
    reached = _quality(kind, probabilities, positives, best)
    for other in np.linspace(0.001, 0.999, 400):
        assert _quality(kind, probabilities, positives, other) <= reached + 1e-12


@given(st.integers(0, 1000), st.floats(0.3, 0.9))
def test_precision_is_reached_with_the_most_recall(seed: int, wanted: float) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.random(80).round(2)
    positives = rng.random(80) < probabilities
    try:
        at = fit_threshold(probabilities, positives, Criterion("precision", wanted))
    except OptionError:
        at = None

    def figures(threshold: float) -> tuple[float, int]:
        named = probabilities >= threshold
        return positives[named].mean() if named.any() else 0.0, int((named & positives).sum())

    others = [figures(other) for other in np.linspace(0.001, 0.999, 400)]
    allowed = [recall for precision, recall in others if precision >= wanted]
    if at is None:
        assert not allowed
    else:
        assert figures(at)[0] >= wanted
        assert figures(at)[1] >= max(allowed, default=0)


def test_of_equal_thresholds_the_one_nearest_to_one_half_is_taken() -> None:
    probabilities, positives = np.array([0.1, 0.4, 0.45, 0.8]), np.array([0, 0, 1, 1], bool)
    assert fit_threshold(probabilities, positives, Criterion("f1")) == pytest.approx(0.425)
    separable = np.array([0.1, 0.2, 0.9, 0.95])
    assert fit_threshold(separable, positives, Criterion("accuracy")) == pytest.approx(0.55)


def test_criteria_are_read_and_told() -> None:
    for text in ("0.5", "0.25", "accuracy", "f1", "precision=0.9"):
        assert str(parse_criterion(text)) == text
    for text in ("", "2", "0", "nan", "recall", "precision", "precision=2", "f1=0.5"):
        with pytest.raises(OptionError, match="threshold is a number"):
            parse_criterion(text)


def test_what_cannot_be_fitted() -> None:
    logits, labels = _rows(0, 1, 2, MIN_ROWS)
    with pytest.raises(OptionError, match="at least 30"):
        fit_decision(logits[1:], labels[1:], TWO, FIXED, "rows")
    with pytest.raises(OptionError, match="no threshold has a precision"):
        fit_decision(logits, 0 * labels, TWO, Criterion("precision", 0.9), "rows")
    three, drawn = _rows(0, 1, 3, 50)
    with pytest.raises(OptionError, match="two labels"):
        fit_decision(three, drawn, THREE, Criterion("f1"), "rows")
    with pytest.raises(OptionError, match="two labels"):
        plain_decision(THREE, Criterion("fixed", 0.7))
    with pytest.raises(OptionError, match="--data"):
        plain_decision(TWO, Criterion("f1"))


def test_without_rows_probabilities_are_as_they_come() -> None:
    assert plain_decision(THREE, FIXED).threshold is None
    decision = plain_decision(TWO, Criterion("fixed", 0.7))
    assert (decision.temperature, decision.positive) == (1, "vulnerable")
    assert decision.threshold == 0.7
