"""Which of many architectures is better: one total order, used by every kind of search.

1. A feasible one beats an infeasible one; of two infeasible ones the less over its limits.
2. More capacity: what the search's proxy counts (`codewren.search.result.Proxy`).
3. Fewer bytes.
4. The lexicographically smaller genes, in the order of `GENES`; this makes the order total,
   so that the answer never depends on the order of evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from codewren.budget import Budget
from codewren.search.cost import CostModel, IntArray, Shapes, Timing
from codewren.search.paper import paper_cost
from codewren.search.result import Candidate, Formula, Proxy, SearchResult
from codewren.search.size import codewren_cost
from codewren.search.space import SearchSpace
from codewren_runtime.errors import BudgetError, OptionError
from codewren_runtime.types import Architecture, TaskKind

__all__ = ["Problem", "Scores", "best_rows", "pose"]


@dataclass(frozen=True, slots=True)
class Scores:
    """What is compared, arrays (n,).

    `violation` is the share by which the budget's limits are exceeded, summed (0: feasible);
    `capacity` is by the proxy; `latency_ms` None without a latency model.
    """

    violation: NDArray[np.float64]
    capacity: IntArray
    size_bytes: IntArray
    latency_ms: NDArray[np.float64] | None


@dataclass(frozen=True)
class Problem:
    """What a search is asked: a space, a hard budget, a task, cost formula and proxy."""

    space: SearchSpace
    budget: Budget
    kind: TaskKind
    num_labels: int
    formula: Formula
    proxy: Proxy
    cost: CostModel

    def score(self, index: IntArray) -> Scores:
        """Scores of valid index rows (n, genes), all at once."""
        return self.score_shapes(self.space.shapes(list(index.T)))

    def score_shapes(self, shapes: Shapes) -> Scores:
        """Scores of shapes that broadcast together, arrays of their common shape."""
        costs = self.cost(shapes)
        violation = np.maximum(costs.size_bytes / self.budget.encoder_bytes - 1, 0)
        if self.budget.latency_ms is not None:
            assert costs.latency_ms is not None
            excess = costs.latency_ms / self.budget.predicted_limit_ms - 1
            violation = violation + np.maximum(excess, 0)
        capacity: IntArray = getattr(costs, self.proxy)
        return Scores(violation, capacity, costs.size_bytes, costs.latency_ms)

    def candidates(self, index: IntArray) -> tuple[Candidate, ...]:
        """Index rows (n, genes) as architectures with their costs, in the same order."""
        return tuple(
            replace(self.candidate(self.space.architecture(row)), limited_by=self.limited_by(row))
            for row in index
        )

    def candidate(self, architecture: Architecture) -> Candidate:
        """Any architecture, of the space or not, with its costs."""
        costs = self.cost(Shapes.of([architecture]))
        return Candidate(
            architecture,
            int(costs.parameters[0]),
            int(costs.flops[0]),
            int(costs.executed[0]),
            int(costs.size_bytes[0]),
            None if costs.latency_ms is None else round(float(costs.latency_ms[0]), 3),
        )

    def limited_by(self, row: IntArray) -> tuple[str, ...]:
        """What stops the architecture (genes,) from growing in capacity: "size", "latency".

        A gene grows by one step, to its next value that goes with the others. Empty if every
        such step that adds capacity is feasible, or leaves the space.
        """
        grown = [step for gene in range(len(row)) if (step := self._grown(row, gene)) is not None]
        if not grown:
            return ()
        scores = self.score(np.array([row, *grown]))
        more = scores.capacity > scores.capacity[0]
        over = {"size": scores.size_bytes > self.budget.encoder_bytes}
        if scores.latency_ms is not None:
            over["latency"] = scores.latency_ms > self.budget.predicted_limit_ms
        return tuple(name for name, exceeded in over.items() if (exceeded & more).any())

    def _grown(self, row: IntArray, gene: int) -> IntArray | None:
        steps = np.arange(row[gene] + 1, len(self.space.genes[gene]))
        larger = np.tile(row, (len(steps), 1))
        larger[:, gene] = steps
        valid = larger[self.space.valid(larger)]
        return valid[0] if len(valid) else None

    def answer(self, index: IntArray, evaluations: int, **found: Any) -> SearchResult:
        """The result whose candidates are the index rows; `found` are its other fields."""
        return SearchResult(
            candidates=self.candidates(index),
            space=self.space.name,
            space_sha256=self.space.sha256,
            budget=self.budget,
            formula=self.formula,
            proxy=self.proxy,
            kind=self.kind,
            num_labels=self.num_labels,
            evaluations=evaluations,
            **found,
        )

    def nothing_fits(self, smallest: int) -> BudgetError:
        """The error to raise where nothing is feasible; `smallest` is the least bytes seen."""
        budget = self.budget
        if smallest <= budget.encoder_bytes:
            return BudgetError(
                f"nothing in the space {self.space.name!r} answers within {budget.latency_ms:g} ms "
                f"and {budget.encoder_bytes:,} bytes: allow more milliseconds, a shorter text or "
                "smaller values"
            )
        return BudgetError(
            f"nothing in the space {self.space.name!r} fits {budget.encoder_bytes:,} bytes: its "
            f"smallest architecture takes {smallest:,}; allow more bytes, fewer bits or smaller "
            "values"
        )


def pose(
    space: SearchSpace,
    budget: Budget,
    kind: TaskKind,
    num_labels: int,
    *,
    formula: Formula = "codewren",
    proxy: Proxy = "executed",
    timing: Timing | None = None,
) -> Problem:
    """The problem that a search solves; raises OptionError where its parts do not go together.

    `timing` predicts latency; without it `budget.latency_ms` must be None.
    """
    if proxy not in get_args(Proxy):
        raise OptionError(f"proxy must be one of {', '.join(get_args(Proxy))}, not {proxy!r}")
    if budget.latency_ms is not None and timing is None:
        raise OptionError("a limit on latency needs a latency model: run compress calibrate")
    if formula == "paper":
        _check_paper(space, budget)
        return Problem(space, budget, kind, num_labels, formula, proxy, paper_cost)
    if formula != "codewren":
        raise OptionError(f"formula must be 'codewren' or 'paper', not {formula!r}")
    if num_labels < 2 and kind != "embedding":
        raise OptionError(f"a task has at least two labels, not {num_labels}")
    cost = codewren_cost(kind, num_labels, budget.bits, timing)
    return Problem(space, budget, kind, num_labels, formula, proxy, cost)


def _check_paper(space: SearchSpace, budget: Budget) -> None:
    if budget.bits != 32:
        raise OptionError(
            f"the paper's formula counts 32-bit weights, not {budget.bits}-bit ones: "
            "give 32 bits, or use the formula 'codewren'"
        )
    if budget.latency_ms is not None:
        raise OptionError("the paper's formula knows no latency: use the formula 'codewren'")
    if space.embedding_size != (0,) or space.shared_layers != (1,):
        raise OptionError(
            "the paper's formula knows neither embedding_size nor shared_layers: "
            "use another space, or the formula 'codewren'"
        )


def best_rows(scores: Scores, index: IntArray, count: int) -> IntArray:
    """Positions of the best `count` of the index rows (n, genes), best first."""
    # The last key of lexsort is the first to count; of the genes the first column.
    keys = (*index.T[::-1], scores.size_bytes, -scores.capacity, scores.violation)
    return np.lexsort(keys)[:count]
