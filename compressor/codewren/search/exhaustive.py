"""Enumerate a whole space: the optimum with a certificate, and the oracle of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from codewren.budget import Budget
from codewren.search.cost import IntArray, Timing
from codewren.search.ranking import Problem, Scores, best_rows, pose
from codewren.search.result import Certificate, Formula, Proxy, SearchResult
from codewren.search.space import DEPTH_GENES, GENES, WIDTH_GENES, SearchSpace
from codewren_runtime.errors import OptionError
from codewren_runtime.types import TaskKind

__all__ = ["MAX_CONFIGURATIONS", "enumerate_space"]

MAX_CONFIGURATIONS = 2_000_000_000  # several minutes
CHUNK = 250_000  # configurations at once: some 2 MB an array, within a core's cache

_VOCABULARY, _MIDDLE, _LENGTH = map(GENES.index, ("vocab_size", "intermediate_size", "max_length"))


def enumerate_space(
    space: SearchSpace,
    budget: Budget,
    kind: TaskKind,
    num_labels: int,
    *,
    formula: Formula = "codewren",
    proxy: Proxy = "executed",
    timing: Timing | None = None,
    top: int = 10,
    on_chunk: Callable[[int], None] | None = None,
) -> SearchResult:
    """Look at every valid configuration; the `top` best, certified.

    `on_chunk` is told how many configurations (of `space.size`) have been looked at.
    Raises BudgetError if nothing fits, OptionError if the space is too large to enumerate.
    """
    if space.size > MAX_CONFIGURATIONS:
        raise OptionError(
            f"the space {space.name!r} has {space.size:,} configurations, too many to enumerate "
            f"(at most {MAX_CONFIGURATIONS:,}): use the genetic search"
        )
    problem = pose(space, budget, kind, num_labels, formula=formula, proxy=proxy, timing=timing)
    best = np.empty((0, len(GENES)), dtype=np.int64)
    feasible = seen = 0
    smallest: list[int] = []
    floor = 0  # capacity of the worst of the best so far: what is below need not be sorted
    for index in _grids(space):
        scores = problem.score_shapes(space.shapes(index))
        fits = scores.violation == 0
        feasible += int(np.count_nonzero(fits))
        seen += fits.size
        smallest.append(int(scores.size_bytes.min()))
        best = _merge(problem, best, _promising(scores, fits, index, floor, top), top)
        if len(best) == top:
            floor = int(problem.score(best[-1:]).capacity[0])
        if on_chunk is not None:
            on_chunk(seen)
    if not feasible:
        raise problem.nothing_fits(min(smallest))
    return problem.answer(best, seen, certificate=Certificate(seen, feasible))


Grid = list[IntArray]
"""Indices of every gene, in the order of `GENES`, that broadcast to (widths, depths, middles)."""


def _grids(space: SearchSpace) -> Iterator[Grid]:
    """Cut the space into grids of at most about `CHUNK` configurations."""
    middles, depths = np.arange(len(space.intermediate_size)), space.depths
    per_middle = max(1, min(len(middles), CHUNK // len(depths)))
    per_width = max(1, CHUNK // (len(depths) * per_middle))
    for vocabulary, length in product(range(len(space.vocab_size)), range(len(space.max_length))):
        for w in range(0, len(space.widths), per_width):
            for m in range(0, len(middles), per_middle):
                grid = dict(
                    zip(WIDTH_GENES, _axis(space.widths[w : w + per_width], 0), strict=True)
                )
                grid |= dict(zip(DEPTH_GENES, _axis(depths, 1), strict=True))
                grid[_MIDDLE] = middles[m : m + per_middle]
                grid[_VOCABULARY], grid[_LENGTH] = np.array(vocabulary), np.array(length)
                yield [grid[gene] for gene in range(len(GENES))]


def _axis(rows: IntArray, axis: int) -> list[IntArray]:
    """The columns of `rows`, each laid along one of three axes."""
    shape = [1, 1, 1]
    shape[axis] = len(rows)
    return [column.reshape(shape) for column in rows.T]


def _promising(
    scores: Scores, fits: NDArray[np.bool_], index: Grid, floor: int, top: int
) -> IntArray:
    """Index rows (n, genes) of a grid that may be among the `top` best."""
    position: tuple[IntArray, ...] = np.nonzero(fits & (scores.capacity >= floor))
    capacity = scores.capacity[position]
    if len(capacity) > top:
        keep = capacity >= np.partition(capacity, -top)[-top]  # ties stay: bytes decide
        position = tuple(axis[keep] for axis in position)
    return np.stack([np.broadcast_to(i, fits.shape)[position] for i in index], axis=1)


def _merge(problem: Problem, best: IntArray, more: IntArray, top: int) -> IntArray:
    if not len(more):
        return best
    rows = np.concatenate([best, more])
    return rows[best_rows(problem.score(rows), rows, top)]
