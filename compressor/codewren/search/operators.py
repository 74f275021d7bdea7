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
from codewren.search.space import DEPTH_GENES, GENES, WIDTH_GENES, SearchSpace

__all__ = ["Fitness", "Individual", "mate", "mutate", "polish", "random_individual", "repair"]


class Fitness(base.Fitness):  # type: ignore[misc]
    """Violation of the budget, capacity, bytes, then the genes: compared in this order.

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
    def capacity(self) -> int:
        """FLOPs or parameters."""
        return int(self.wvalues[1])

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return -int(self.wvalues[2])


class Individual(list[int]):
    """Indices, one per gene in the order of `GENES`, and their fitness."""

    def __init__(self, genes: Any) -> None:
        super().__init__(genes)
        self.fitness = Fitness()


def random_individual(space: SearchSpace, rng: Random) -> Individual:
    """A uniformly random valid individual."""
    individual = Individual(rng.randrange(len(values)) for values in space.genes)
    for genes, allowed in _coupled(space):
        _assign(individual, genes, allowed[rng.randrange(len(allowed))])
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
    searched = [gene for gene, values in enumerate(space.genes) if len(values) > 1]
    for gene in rng.sample(searched, min(len(searched), rng.choice((1, 2, 2)))):
        count = len(space.genes[gene])
        if rng.random() < 0.2:
            individual[gene] = rng.randrange(count)
        else:
            step = rng.choice((-3, -2, -1, -1, 1, 1, 2, 3))
            individual[gene] = min(max(individual[gene] + step, 0), count - 1)


def repair(individual: list[int], space: SearchSpace) -> None:
    """Move genes that constrain each other, in place, to the nearest values that go together."""
    if bool(space.valid(np.array([individual]))[0]):
        return
    for genes, allowed in _coupled(space):
        distance = np.abs(allowed - [individual[gene] for gene in genes]).sum(axis=1)
        _assign(individual, genes, allowed[np.argmin(distance)])


def _coupled(space: SearchSpace) -> tuple[tuple[tuple[int, ...], IntArray], ...]:
    return (WIDTH_GENES, space.widths), (DEPTH_GENES, space.depths)


def _assign(individual: list[int], genes: tuple[int, ...], values: IntArray) -> None:
    for gene, value in zip(genes, values, strict=True):
        individual[gene] = int(value)


def polish(individual: list[int], problem: Problem, reach: int) -> tuple[list[int], int]:
    """Climb: for each pair of genes in turn take the best of the window around the individual.

    The window is every combination of the two genes up to `reach` steps away, scored in one
    batch. Returns the genes, never worse than before, and the number of evaluations.
    """
    row, evaluations = np.array(individual, dtype=np.int64), 0
    searched = [gene for gene, values in enumerate(problem.space.genes) if len(values) > 1]
    for pair in combinations(searched, 2):
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
