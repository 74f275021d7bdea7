"""Enumerate a whole space: the optimum with a certificate, and the oracle of the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from codewren.budget import Budget
from codewren.search.cost import IntArray, Shapes
from codewren.search.ranking import Problem, Scores, best_rows, pose
from codewren.search.result import Certificate, Formula, SearchResult
from codewren.search.space import SearchSpace
from codewren_runtime.errors import OptionError
from codewren_runtime.types import TaskKind

__all__ = ["MAX_CONFIGURATIONS", "enumerate_space"]

MAX_CONFIGURATIONS = 2_000_000_000  # several minutes
CHUNK = 250_000  # configurations at once: some 2 MB an array, within a core's cache


def enumerate_space(
    space: SearchSpace,
    budget: Budget,
    kind: TaskKind,
    num_labels: int,
    *,
    formula: Formula = "codewren",
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
    problem = pose(space, budget, kind, num_labels, formula)
    best = np.empty((0, 5), dtype=np.int64)
    feasible = seen = 0
    smallest: list[int] = []
    floor = 0  # FLOPs of the worst of the best so far: what is below need not be sorted
    for index in _grids(space):
        scores = problem.score_shapes(_open_shapes(space, index))
        fits = scores.violation == 0
        feasible += int(np.count_nonzero(fits))
        seen += fits.size
        smallest.append(int(scores.size_bytes.min()))
        best = _merge(problem, best, _promising(scores, fits, index, floor, top), top)
        if len(best) == top:
            floor = int(problem.score(best[-1:]).flops[0])
        if on_chunk is not None:
            on_chunk(seen)
    if not feasible:
        raise problem.nothing_fits(min(smallest))
    return problem.answer(best, seen, certificate=Certificate(seen, feasible))


Grid = tuple[IntArray, IntArray, IntArray, IntArray]
"""Indices of vocabulary (v,), hidden size and heads (p, 2), layers (l,), intermediate (i,)."""


def _grids(space: SearchSpace) -> Iterator[Grid]:
    """Cut the space into grids of at most about `CHUNK` configurations."""
    layers, middles = np.arange(len(space.num_layers)), np.arange(len(space.intermediate_size))
    pairs = space.hidden_and_heads
    per_middle = max(1, min(len(middles), CHUNK // len(layers)))
    per_pair = max(1, CHUNK // (len(layers) * per_middle))
    for vocabulary in range(len(space.vocab_size)):
        for p in range(0, len(pairs), per_pair):
            for m in range(0, len(middles), per_middle):
                chosen = pairs[p : p + per_pair]
                yield np.array([vocabulary]), chosen, layers, middles[m : m + per_middle]


def _open_shapes(space: SearchSpace, grid: Grid) -> Shapes:
    """Genes of a grid as arrays that broadcast to (v, p, l, i)."""
    vocabulary, pairs, layers, middles = grid
    return Shapes(
        vocab_size=np.array(space.vocab_size)[vocabulary][:, None, None, None],
        hidden_size=np.array(space.hidden_size)[pairs[:, 0]][:, None, None],
        num_layers=np.array(space.num_layers)[layers][:, None],
        num_heads=np.array(space.num_heads)[pairs[:, 1]][:, None, None],
        intermediate_size=np.array(space.intermediate_size)[middles],
        max_length=np.array(space.max_length),
    )


def _promising(
    scores: Scores, fits: NDArray[np.bool_], grid: Grid, floor: int, top: int
) -> IntArray:
    """Index rows (n, 5) of a grid that may be among the `top` best."""
    vocabulary, pairs, layers, middles = grid
    position: tuple[IntArray, ...] = np.nonzero(fits & (scores.flops >= floor))
    flops = scores.flops[position]
    if len(flops) > top:
        keep = flops >= np.partition(flops, -top)[-top]  # ties stay: bytes decide
        position = tuple(axis[keep] for axis in position)
    v, p, n, m = position
    return np.stack([vocabulary[v], pairs[p, 0], layers[n], pairs[p, 1], middles[m]], axis=1)


def _merge(problem: Problem, best: IntArray, more: IntArray, top: int) -> IntArray:
    if not len(more):
        return best
    rows = np.concatenate([best, more])
    return rows[best_rows(problem.score(rows), rows, top)]
