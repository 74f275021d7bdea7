"""A linear model of the n-grams of each text of a pair: which traits does the text have?

Pairs that are alike and pairs that are not tell which texts belong together
(`codewren_distill.groups`). Each of the largest groups is a trait, and a support vector machine
on which n-grams a text holds tells who has it (Joachims, ECML 1998). The scores are scaled so that
two texts of which `SharedHead` says that they have a trait in common are alike as often as it says
so, by scores of texts that the machine had not seen (Platt, 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.model_selection import cross_val_predict
from sklearn.svm import LinearSVC

from codewren_distill.groups import groups
from codewren_distill.models import SiameseModel
from codewren_distill.ngrams import Floats, vectors
from codewren_distill.pair_heads import SharedHead
from codewren_distill.text_side import Encoded
from codewren_runtime.errors import DataError

__all__ = ["fit_ngram_traits"]

LEAST = 20  # texts of a group that is a trait, and texts that are not in it
FOLDS = 5
UNKNOWN = -20.0  # score of the traits that no group stands for
SURE = 1e-4  # no probability is nearer to 0 or 1

Ints = NDArray[np.int64]


def fit_ngram_traits(
    model: SiameseModel, encoded: Sequence[Encoded], shares: Floats, seed: int
) -> None:
    """Fit the model's n-grams, and let its head begin with the traits that they tell.

    `encoded` are the token ids of the rows' two texts, `shares` (rows, 2) the probabilities of
    the two labels. Deterministic for a seed. DataError if no group of texts is large enough.
    """
    bag, head = model.ngrams, model.head
    if bag is None or not isinstance(head, SharedHead):
        raise TypeError("n-gram traits are for a shared head")
    texts = list(dict.fromkeys(chain.from_iterable(encoded)))
    place = {ids: at for at, ids in enumerate(texts)}
    first, second = np.array([[place[ids] for ids in row] for row in encoded]).T
    signed = zip(first.tolist(), second.tolist(), (2 * shares[:, 1] - 1).tolist(), strict=True)
    most = len(texts) - LEAST
    large = [group for group in groups(signed, len(texts)) if LEAST <= len(group) <= most]
    if not large:
        raise DataError(
            f"n-grams of pairs want at least {LEAST} texts that are alike, each by a pair with "
            f"another of them, and {LEAST} others; the data has no such group: leave ngrams out"
        )
    rows = vectors(bag, texts, bag.counting)
    traits = [np.isin(np.arange(len(texts)), group) for group in large[: SharedHead.TRAITS]]
    scores = np.stack([_held_out_scores(rows, trait, seed) for trait in traits], axis=1)
    scale, shift = _calibrated(scores, first, second, shares[:, 1])
    table = torch.zeros_like(bag.table)
    bias = torch.full_like(bag.bias, UNKNOWN)
    for column, trait in enumerate(traits):
        machine = _machine(seed).fit(rows, trait)
        table[:, column] = torch.from_numpy(scale * machine.coef_[0])
        bias[column] = scale * (float(machine.intercept_[0]) + shift)
    with torch.no_grad():
        bag.table.copy_(table)
        bag.bias.copy_(bias)
    head.begin_with_scores()


def _machine(seed: int) -> LinearSVC:
    return LinearSVC(C=1.0, tol=1e-3, random_state=seed)


def _held_out_scores(rows: csr_matrix, trait: NDArray[np.bool_], seed: int) -> Floats:
    """Each text's score by a machine that was fitted to others."""
    found: Floats = cross_val_predict(
        _machine(seed), rows, trait, cv=FOLDS, method="decision_function"
    )
    return found


def _calibrated(scores: Floats, first: Ints, second: Ints, alike: Floats) -> tuple[float, float]:
    """Scale and shift of (texts, traits) `scores` that make the pairs' cross-entropy least."""

    def loss(given: Floats) -> float:
        traits = expit(given[0] * (scores + given[1]))
        unlike = np.prod(1 - traits[first] * traits[second], axis=1).clip(SURE, 1 - SURE)
        return float(-(alike * np.log(1 - unlike) + (1 - alike) * np.log(unlike)).mean())

    scale, shift = minimize(loss, (4.0, 0.0), method="Nelder-Mead").x
    return float(scale), float(shift)
