"""Individuals of the genetic algorithm and what changes them, in the space of indices.

A gene is the index of its value in the space's sorted table, so that one step is one value
up or down whatever the unit. Every operator draws from the `random.Random` that it is given,
never from the global one, and leaves a valid individual behind.
"""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

import numpy as np
from deap import base

from codewren.search.cost import IntArray
from codewren.search.ranking import Problem, best_rows
from codewren.search.space import GENES, SearchSpace

__all__ = ["Fitness", "Individual", "mate", "mutate", "polish", "random_individual", "repair"]

_HIDDEN, _HEADS = GENES.index("hidden_size"), GENES.index("num_heads")


class Fitness(base.Fitness):  # type: ignore[misc]
    """Bytes over budget, FLOPs, bytes, then the genes: compared in this order.

    DEAP compares fitnesses lexicographically, so to put the violation first is constraint
    domination: nothing feasible (violation 0) ever loses to something infeasible. The genes
    make the order total, the one of `codewren.search.ranking`.
    """

    weights = (-1.0, 1.0, -1.0, *(-1.0 for _ in GENES))

    @property
    def feasible(self) -> bool:
        """Whether the budget holds."""
        return bool(self.wvalues[0] == 0)

    @property
    def flops(self) -> float:
        """FLOPs of a prediction."""
        return float(self.wvalues[1])

    @property
    def size_bytes(self) -> float:
        """Bytes on disk."""
        return -float(self.wvalues[2])


class Individual(list[int]):
    """Five indices, one per gene in the order of `GENES`, and their fitness."""

    def __init__(self, genes: Any) -> None:
        super().__init__(genes)
        self.fitness = Fitness()


def random_individual(space: SearchSpace, rng: Random) -> Individual:
    """A uniformly random valid individual."""
    individual = Individual(rng.randrange(len(values)) for values in space.genes)
    pair = space.hidden_and_heads[rng.randrange(len(space.hidden_and_heads))]
    individual[_HIDDEN], individual[_HEADS] = int(pair[0]), int(pair[1])
    return individual


def mate(first: list[int], second: list[int], rng: Random) -> None:
    """Uniform crossover in place: every gene is swapped with probability 1/2."""
    for gene in range(len(GENES)):
        if rng.random() < 0.5:
            first[gene], second[gene] = second[gene], first[gene]


def mutate(individual: list[int], space: SearchSpace, rng: Random) -> None:
    """Change one or two genes in place: mostly a few steps, sometimes any value.

    Two at once, because at the edge of the budget a better neighbour is a trade: what one
    gene gives up another takes.
    """
    for gene in rng.sample(range(len(GENES)), rng.choice((1, 2, 2))):
        count = len(space.genes[gene])
        if rng.random() < 0.2:
            individual[gene] = rng.randrange(count)
        else:
            step = rng.choice((-3, -2, -1, -1, 1, 1, 2, 3))
            individual[gene] = min(max(individual[gene] + step, 0), count - 1)


def repair(individual: list[int], space: SearchSpace) -> None:
    """Move hidden size and heads, in place, to the nearest pair that goes together."""
    hidden, heads = individual[_HIDDEN], individual[_HEADS]
    if space.hidden_size[hidden] % space.num_heads[heads]:
        distance = np.abs(space.hidden_and_heads - (hidden, heads)).sum(axis=1)
        pair = space.hidden_and_heads[np.argmin(distance)]
        individual[_HIDDEN], individual[_HEADS] = int(pair[0]), int(pair[1])


def polish(individual: list[int], problem: Problem, reach: int) -> tuple[list[int], int]:
    """Climb: for each pair of genes in turn take the best of the window around the individual.

    The window is every combination of the two genes up to `reach` steps away, scored in one
    batch. Returns the genes, never worse than before, and the number of evaluations.
    """
    row, evaluations = np.array(individual, dtype=np.int64), 0
    for pair in combinations(range(len(GENES)), 2):
        index = _window(row, problem.space, pair, reach)
        best = best_rows(problem.score(index), index, 1)[0]
        row, evaluations = index[best], evaluations + len(index)
    return [int(gene) for gene in row], evaluations


def _window(row: IntArray, space: SearchSpace, pair: tuple[int, int], reach: int) -> IntArray:
    spans = []
    for gene in pair:
        low = max(0, int(row[gene]) - reach)
        spans.append(np.arange(low, min(len(space.genes[gene]), int(row[gene]) + reach + 1)))
    first, second = np.meshgrid(*spans, indexing="ij")
    index: IntArray = np.tile(row, (first.size, 1))
    index[:, pair[0]], index[:, pair[1]] = first.ravel(), second.ravel()
    kept: IntArray = index[space.valid(index)]
    return kept
