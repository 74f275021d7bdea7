"""Which of many architectures is better: one total order, used by every kind of search.

1. A feasible one beats an infeasible one; of two infeasible ones the less over budget.
2. More FLOPs, the paper's proxy of capacity.
3. Fewer bytes.
4. The lexicographically smaller genes, in the order of `GENES`; this makes the order total,
   so that the answer never depends on the order of evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from codewren.budget import Budget
from codewren.search.cost import CostModel, IntArray, Shapes, codewren_cost
from codewren.search.paper import paper_cost
from codewren.search.result import Candidate, Formula, SearchResult
from codewren.search.space import SearchSpace
from codewren_runtime.errors import BudgetError, OptionError
from codewren_runtime.types import TaskKind

__all__ = ["Problem", "Scores", "best_rows", "pose"]


@dataclass(frozen=True, slots=True)
class Scores:
    """What is compared, arrays (n,): bytes over budget (0: feasible), FLOPs, bytes."""

    violation: IntArray
    flops: IntArray
    size_bytes: IntArray


@dataclass(frozen=True)
class Problem:
    """What a search is asked: a space, a hard budget of bytes, a task, and the cost formula."""

    space: SearchSpace
    budget: Budget
    kind: TaskKind
    num_labels: int
    formula: Formula
    cost: CostModel

    def score(self, index: IntArray) -> Scores:
        """Scores of valid index rows (n, 5), all at once."""
        return self.score_shapes(self.space.shapes(index))

    def score_shapes(self, shapes: Shapes) -> Scores:
        """Scores of shapes that broadcast together, arrays of their common shape."""
        costs = self.cost(shapes)
        violation = np.maximum(costs.size_bytes - self.budget.size_bytes, 0)
        return Scores(violation, costs.flops, costs.size_bytes)

    def candidates(self, index: IntArray) -> tuple[Candidate, ...]:
        """Index rows (n, 5) as architectures with their costs, in the same order."""
        costs = self.cost(self.space.shapes(index))
        columns = (costs.parameters, costs.flops, costs.size_bytes)
        return tuple(
            Candidate(self.space.architecture(row), *(int(column[i]) for column in columns))
            for i, row in enumerate(index)
        )

    def answer(self, index: IntArray, evaluations: int, **found: Any) -> SearchResult:
        """The result whose candidates are the index rows (n, 5); `found` are its other fields."""
        return SearchResult(
            candidates=self.candidates(index),
            space=self.space.name,
            space_sha256=self.space.sha256,
            budget=self.budget,
            formula=self.formula,
            kind=self.kind,
            num_labels=self.num_labels,
            evaluations=evaluations,
            **found,
        )

    def nothing_fits(self, smallest: int) -> BudgetError:
        """The error to raise where the smallest architecture's bytes are over the budget."""
        return BudgetError(
            f"nothing in the space {self.space.name!r} fits {self.budget.size_bytes:,} bytes: its "
            f"smallest architecture takes {smallest:,}; allow more bytes, fewer bits or smaller "
            "values"
        )


def pose(
    space: SearchSpace, budget: Budget, kind: TaskKind, num_labels: int, formula: Formula
) -> Problem:
    """The problem that a search solves; raises OptionError for a formula that does not apply."""
    if formula == "paper":
        if budget.bits != 32:
            raise OptionError(
                f"the paper's formula counts 32-bit weights, not {budget.bits}-bit ones: "
                "give 32 bits, or use the formula 'codewren'"
            )
        return Problem(space, budget, kind, num_labels, formula, paper_cost)
    if formula != "codewren":
        raise OptionError(f"formula must be 'codewren' or 'paper', not {formula!r}")
    if num_labels < 2:
        raise OptionError(f"a task has at least two labels, not {num_labels}")
    cost = codewren_cost(kind, num_labels, budget.bits)
    return Problem(space, budget, kind, num_labels, formula, cost)


def best_rows(scores: Scores, index: IntArray, count: int) -> IntArray:
    """Positions of the best `count` of the index rows (n, 5), best first."""
    # The last key of lexsort is the first to count; of the genes the first column.
    keys = (*index.T[::-1], scores.size_bytes, -scores.flops, scores.violation)
    return np.lexsort(keys)[:count]
