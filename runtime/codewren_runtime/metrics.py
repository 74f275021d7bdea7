"""Scores of a classifier from its outputs and the true labels; numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codewren_runtime.errors import ModelError

__all__ = ["Scores", "accuracy", "auc", "f1", "score"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scores:
    """How well a classifier did on `count` examples; each score lies in 0..1.

    `f1` is of label 1 for two labels, else the macro average. `auc` is None where it has
    no meaning: more than two labels, or only one of two in the data.
    """

    accuracy: float
    f1: float
    auc: float | None
    count: int


def score(values: ArrayLike, labels: ArrayLike, predicted: ArrayLike | None = None) -> Scores:
    """Score logits or probabilities `values` (n, k), k >= 2, against label indices (n,).

    The prediction is `predicted` (n,), label indices, or else the column of the largest value,
    the first one of equals.
    Raises ModelError if a value is not finite, ValueError if the shapes or labels do not fit.
    """
    matrix, truth = _outputs(values), _indices(labels)
    _check_labels(matrix, truth)
    guess = matrix.argmax(1) if predicted is None else _indices(predicted)
    return Scores(
        accuracy(guess, truth),
        f1(guess, truth, matrix.shape[1]),
        auc(matrix, truth),
        len(truth),
    )


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Share of label indices `predicted` (n,) that equal `labels` (n,); ValueError if n is 0."""
    guess, truth = _indices(predicted), _indices(labels)
    _check_lengths(guess, truth)
    return float((guess == truth).mean())


def f1(predicted: ArrayLike, labels: ArrayLike, num_labels: int) -> float:
    """F1 of label 1 if `num_labels` is 2, else the macro average; both arrays hold indices (n,).

    The average is over labels that occur in either array. A label that was neither predicted
    nor present, or predicted without one hit, has an F1 of 0. ValueError if n is 0.
    """
    guess, truth = _indices(predicted), _indices(labels)
    _check_lengths(guess, truth)
    if num_labels == 2:
        return _f1_of(1, guess, truth)
    present = np.union1d(guess, truth).tolist()
    return sum(_f1_of(label, guess, truth) for label in present) / len(present)


def auc(values: ArrayLike, labels: ArrayLike) -> float | None:
    """Area under the ROC curve of logits or probabilities (n, 2); a tie counts as half.

    None unless there are two columns and both labels occur. Raises as `score` does.
    """
    matrix, truth = _outputs(values), _indices(labels)
    _check_labels(matrix, truth)
    positives = int((truth == 1).sum())
    negatives = len(truth) - positives
    if matrix.shape[1] != 2 or not positives or not negatives:
        return None
    # Mann-Whitney: the mean rank of the positives, where equals share their mean rank.
    _, place, counts = np.unique(_order(matrix), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    above = float(ranks[truth == 1].sum()) - positives * (positives + 1) / 2
    return above / (positives * negatives)


def _order(matrix: FloatArray) -> FloatArray:
    """One number per row that grows with the probability of label 1."""
    is_probability = bool((matrix >= 0).all() and np.allclose(matrix.sum(1), 1.0))
    # The difference of probabilities near 0 and 1 would round different rows to one tie;
    # logits have no meaning but their difference.
    return matrix[:, 1] if is_probability else matrix[:, 1] - matrix[:, 0]


def _f1_of(label: int, predicted: IntArray, labels: IntArray) -> float:
    hits = int(((predicted == label) & (labels == label)).sum())
    total = int((predicted == label).sum()) + int((labels == label).sum())
    return 2 * hits / total if total else 0.0


def _outputs(values: ArrayLike) -> FloatArray:
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise ValueError(
            f"values must be (examples, labels) with two labels or more: {matrix.shape}"
        )
    if not np.isfinite(matrix).all():
        raise ModelError(
            "the model's output is not a number: its training diverged; train it again"
        )
    return matrix


def _indices(values: ArrayLike) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or not (array.size == 0 or np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"label indices must be integers (n,), not {array.dtype} {array.shape}")
    return array.astype(np.int64)


def _check_lengths(first: IntArray, second: IntArray) -> None:
    if len(first) != len(second) or not len(first):
        raise ValueError(
            f"need as many predictions as labels, at least one: {len(first)}, {len(second)}"
        )


def _check_labels(matrix: FloatArray, labels: IntArray) -> None:
    if len(matrix) != len(labels) or not len(labels):
        raise ValueError(f"need as many rows as labels, at least one: {len(matrix)}, {len(labels)}")
    if labels.min() < 0 or labels.max() >= matrix.shape[1]:
        raise ValueError(f"labels must lie in 0..{matrix.shape[1] - 1}")
