"""How well vectors find what they should: search, clones by label, agreement with a teacher.

Vectors are (n, d) of unit length, or scipy's sparse rows; texts are compared by dot products.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["agreement_scores", "clone_scores", "search_scores"]

CHUNK = 512  # rows compared with all others at a time

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def search_scores(queries: Any, codes: Any, own: Integers) -> dict[str, float]:
    """Each query's own code among all codes: mean reciprocal rank, and recall at 1, 5 and 10.

    `own` (queries,) are rows of `codes`. A code that scores as high as the query's own counts as
    found before it. CodeSearchNet: Husain et al. 2019, section 4.1, but against every code given.
    """
    found = []
    for rows, scores in _chunks(queries, codes):
        mine = scores[np.arange(len(scores)), own[rows]]
        found.append((scores >= mine[:, None]).sum(1))
    ranks = np.concatenate(found)
    recalls = {f"recall_at_{k}": float((ranks <= k).mean()) for k in (1, 5, 10)}
    return {"mrr": float((1 / ranks).mean()), **recalls, "count": len(ranks)}


def clone_scores(vectors: Any, labels: Integers) -> dict[str, float]:
    """MAP@R: of a text's R nearest, R being how many others share its label, the precise share.

    Musgrave et al., "A Metric Learning Reality Check" (ECCV 2020), section 3.2, and CodeXGLUE's
    measure for POJ-104. Texts whose label no other has are no queries.
    """
    precisions: list[float] = []
    for rows, scores in _chunks(vectors, vectors):
        scores[np.arange(len(scores)), rows] = -np.inf  # a text does not find itself
        for row, near in zip(rows, scores, strict=True):
            others = int((labels == labels[row]).sum()) - 1
            if others:
                order = np.argsort(-near, kind="stable")[:others]
                precisions.append(_average_precision(labels[order] == labels[row]))
    return {"map_at_r": float(np.mean(precisions)), "count": len(precisions)}


def agreement_scores(teacher: Any, student: Any) -> dict[str, float]:
    """Spearman's correlation of two models' cosines, over all pairs of the same texts."""
    from scipy.stats import spearmanr

    above = np.triu_indices(teacher.shape[0], 1)
    wanted, given = (_dense(one @ one.T)[above] for one in (teacher, student))
    return {"spearman": float(spearmanr(wanted, given).statistic), "count": teacher.shape[0]}


def _average_precision(relevant: NDArray[np.bool_]) -> float:
    precision = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
    return float((precision * relevant).mean())


def _chunks(left: Any, right: Any) -> Iterator[tuple[Integers, Floats]]:
    """Row numbers of `left`, and their dot products with all of `right`."""
    for begin in range(0, left.shape[0], CHUNK):
        part = left[begin : begin + CHUNK]
        yield np.arange(begin, begin + part.shape[0]), _dense(part @ right.T)


def _dense(products: Any) -> Floats:
    return np.asarray(products if isinstance(products, np.ndarray) else products.toarray())
