"""Fit how logits become an answer, on labelled rows that training has not seen.

Temperature scaling: Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from codewren_runtime.decision import Decision
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Task

__all__ = [
    "MIN_ROWS",
    "Criterion",
    "calibration_error",
    "fit_decision",
    "fit_temperature",
    "fit_threshold",
    "parse_criterion",
    "plain_decision",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MIN_ROWS = 30  # fewer say nothing about probabilities
COLDEST, HOTTEST = 0.05, 20.0  # where every row is right, the likeliest temperature is 0
BINS = 15
DIGITS = 6  # kept of what is fitted
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Criterion:
    """How the threshold is found: `fixed` at `value`, or what it makes best on labelled rows.

    `accuracy` and `f1` (of the positive label) are made highest; `precision` at least `value`,
    with the highest recall that leaves.
    """

    kind: Literal["fixed", "accuracy", "f1", "precision"]
    value: float = 0.5

    def __str__(self) -> str:
        if self.kind == "fixed":
            return f"{self.value:g}"
        return f"precision={self.value:g}" if self.kind == "precision" else self.kind


def parse_criterion(text: str) -> Criterion:
    """`0.5`, `accuracy`, `f1` or `precision=0.9`; raises OptionError for anything else."""
    name, _, number = text.partition("=")
    if text in ("accuracy", "f1"):
        return Criterion(cast(Literal["accuracy", "f1"], text))
    try:
        value = float(number if name == "precision" else text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise OptionError(
            f"threshold is a number between 0 and 1, accuracy, f1 or precision=NUMBER, not {text!r}"
        )
    return Criterion("precision" if name == "precision" else "fixed", value)


def plain_decision(task: Task, criterion: Criterion) -> Decision:
    """The decision where there are no labelled rows: probabilities as they come.

    Raises OptionError if the threshold needs rows, or two labels.
    """
    if criterion.kind != "fixed":
        raise OptionError(f"threshold {criterion} is found on labelled rows; give them with --data")
    return _decision(task, 1.0, criterion.value)


def fit_decision(
    logits: NDArray[np.float32], labels: Integers, task: Task, criterion: Criterion, source: str
) -> Decision:
    """Temperature and threshold for logits (n, labels) of rows with these label indices (n,).

    `source` says in the manifest what they were fitted on. Raises OptionError for fewer than
    `MIN_ROWS` rows, or where no threshold meets the criterion.
    """
    if len(labels) < MIN_ROWS:
        raise OptionError(
            f"calibration: {len(labels)} labelled rows, at least {MIN_ROWS} are needed"
        )
    exact = np.asarray(logits, dtype=np.float64)
    temperature = round(fit_temperature(exact, labels), DIGITS)
    before, after = _softmax(exact), _softmax(exact / temperature)
    threshold = criterion.value
    if criterion.kind != "fixed":
        if len(task.labels) != 2:
            raise OptionError(f"threshold {criterion} needs two labels, not {len(task.labels)}")
        threshold = fit_threshold(after[:, 1], labels == 1, criterion)
    calibration = {
        "fitted_on": source,
        "rows": len(labels),
        "threshold": str(criterion),
        "ece_before": round(calibration_error(before, labels), DIGITS),
        "ece_after": round(calibration_error(after, labels), DIGITS),
    }
    return _decision(task, temperature, round(threshold, DIGITS), calibration)


def fit_temperature(logits: Floats, labels: Integers) -> float:
    """The temperature of least negative log likelihood, within `COLDEST`..`HOTTEST`.

    The likelihood is concave in 1/temperature, so a golden-section search finds it.
    """
    scaled = logits - logits.max(1, keepdims=True)
    own = scaled[np.arange(len(labels)), labels]

    def loss(sharpness: float) -> float:
        return float((np.log(np.exp(sharpness * scaled).sum(1)) - sharpness * own).mean())

    low, high = 1 / HOTTEST, 1 / COLDEST
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    for _ in range(64):  # each leaves 0.618 of the range
        if loss(left) <= loss(right):
            high = right
        else:
            low = left
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    return 2 / (low + high)


def calibration_error(probabilities: Floats, labels: Integers) -> float:
    """Expected calibration error of probabilities (n, labels), in 0..1.

    The mean distance of confidence and accuracy over `BINS` bins of equal width, weighted by
    their rows; confidence is the probability of the likeliest label.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, confidence, BINS) - np.bincount(bins, right, BINS)
    return float(np.abs(gap).sum() / len(labels))


def fit_threshold(
    probabilities: Floats, positives: NDArray[np.bool_], criterion: Criterion
) -> float:
    """The threshold of the positive label's probabilities (n,) that the criterion asks for.

    It lies midway between two rows; of equals the one nearest to 0.5 is taken. Raises
    OptionError if no threshold has the precision asked for.
    """
    places = np.unique(np.concatenate([[0.0], probabilities, [1.0]]))
    thresholds = (places[1:] + places[:-1]) / 2
    order = np.sort(probabilities)
    hits = np.sort(probabilities[positives])
    named = len(order) - np.searchsorted(order, thresholds)  # rows called positive
    right = len(hits) - np.searchsorted(hits, thresholds)  # and rightly so
    precision = right / np.maximum(named, 1)
    if criterion.kind == "precision":
        allowed = (precision >= criterion.value) & (named > 0)
        if not allowed.any():
            raise OptionError(
                f"threshold: no threshold has a precision of {criterion.value:g}; "
                f"the highest is {precision.max():.3f}"
            )
        quality = np.where(allowed, right, -1).astype(float)
    elif criterion.kind == "f1":
        quality = 2 * right / np.maximum(named + len(hits), 1)
    else:
        negatives_named = named - right
        quality = right - negatives_named  # accuracy, but for a constant
    best = np.flatnonzero(quality == quality.max())
    chosen = thresholds[best[np.abs(thresholds[best] - 0.5).argmin()]]
    return float(np.clip(chosen, 10.0**-DIGITS, 1 - 10.0**-DIGITS))


def _decision(
    task: Task, temperature: float, threshold: float, calibration: dict[str, object] | None = None
) -> Decision:
    if len(task.labels) == 2:
        return Decision(temperature, task.labels[1], threshold, calibration or {})
    if threshold != 0.5:
        raise OptionError(f"a threshold needs two labels, not {len(task.labels)}")
    return Decision(temperature, calibration=calibration or {})


def _softmax(logits: Floats) -> Floats:
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(1, keepdims=True))
