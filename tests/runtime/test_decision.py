from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codewren_runtime.decision import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    Decision,
    check_long_inputs,
)
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Task

TWO = Task("t", "single", ("safe", "vulnerable"))
THREE = Task("t", "single", ("a", "b", "c"))

logits = st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=2, max_size=5)
pairs = st.tuples(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32))
temperatures = st.floats(MIN_TEMPERATURE, MAX_TEMPERATURE)
thresholds = st.floats(0.01, 0.99)


@given(logits, temperatures)
def test_temperature_never_changes_the_label(values: list[float], temperature: float) -> None:
    labels = tuple("abcde"[: len(values)])
    prediction = Decision(temperature).predict(values, labels)
    assert prediction.label == labels[int(np.argmax(values))]
    assert prediction.probability == max(prediction.probabilities.values())
    assert math.isclose(sum(prediction.probabilities.values()), 1)


@given(pairs, temperatures)
def test_a_threshold_of_one_half_is_the_likeliest_label_at_any_temperature(
    values: tuple[float, float], temperature: float
) -> None:
    assume(values[0] != values[1])
    prediction = Decision(temperature, "vulnerable", 0.5).predict(values, TWO.labels)
    assert prediction.label == TWO.labels[int(np.argmax(values))]


@given(pairs, temperatures, thresholds)
def test_label_follows_the_threshold(
    values: tuple[float, float], temperature: float, threshold: float
) -> None:
    prediction = Decision(temperature, "vulnerable", threshold).predict(values, TWO.labels)
    shown = prediction.probabilities["vulnerable"]
    assume(not math.isclose(shown, threshold, rel_tol=1e-9))
    assert (prediction.label == "vulnerable") == (shown > threshold)
    assert prediction.probability == prediction.probabilities[prediction.label]


@given(pairs, thresholds)
def test_either_label_may_be_the_positive_one(
    values: tuple[float, float], threshold: float
) -> None:
    positive = Decision(1.0, "safe", threshold).predict(values, TWO.labels)
    mirrored = Decision(1.0, "vulnerable", threshold).predict(values[::-1], TWO.labels)
    assert (positive.label == "safe") == (mirrored.label == "vulnerable")


@given(pairs, temperatures)
def test_a_higher_temperature_is_less_sure(values: tuple[float, float], temperature: float) -> None:
    sure = Decision(temperature).predict(values, TWO.labels).probability
    assert Decision(MAX_TEMPERATURE).predict(values, TWO.labels).probability <= sure + 1e-12


@pytest.mark.parametrize(
    "decision",
    [Decision(), Decision(2.5, "safe", 0.25, {"rows": 40}), Decision(0.5, "vulnerable", 0.5)],
)
def test_json_round_trip(decision: Decision) -> None:
    assert Decision.from_json(decision.to_json(), TWO) == decision


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": "1"},
        {"temperature": True},
        {"temperature": None},
        {"threshold": 0.0},
        {"threshold": 1},
        {"threshold": math.nan},
        {"threshold": None},
        {"positive": None},
        {"positive": "other"},
        {"positive": []},
        {"calibration": None},
        {"surprise": 1},
    ],
)
def test_what_is_no_decision(change: dict[str, object]) -> None:
    good = Decision(1.0, "safe", 0.5).to_json()
    with pytest.raises(OptionError, match="decision"):
        Decision.from_json(good | change, TWO)


def test_a_threshold_needs_two_labels() -> None:
    with pytest.raises(OptionError, match="two labels"):
        Decision.from_json(Decision(1.0, "a", 0.5).to_json(), THREE)


def test_ways_with_long_inputs() -> None:
    for way in ("truncate", "split-mean", "split-max"):
        assert check_long_inputs(way, TWO) == way
    for task in (THREE, Task("t", "pair", TWO.labels)):
        check_long_inputs("split-mean", task)
        with pytest.raises(OptionError, match="split-max"):
            check_long_inputs("split-max", task)
    for value in ("split", "", None, ["truncate"], 3):
        with pytest.raises(OptionError, match="long_inputs"):
            check_long_inputs(value, TWO)
