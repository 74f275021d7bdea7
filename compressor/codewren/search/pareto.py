"""NSGA-II: the trade between size, latency and capacity, made of DEAP's parts.

Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II" (IEEE Transactions
on Evolutionary Computation, 2002), with its constraint domination: what breaks the budget
never dominates what holds it. Every feasible architecture met is offered to an archive that
keeps what nothing dominates, so the front does not lose what the population forgets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from random import Random

import numpy as np
from deap import base, tools
from numpy.typing import NDArray

from codewren.budget import Budget
from codewren.search.cost import IntArray, Timing
from codewren.search.operators import mate, mutate, random_individual, repair
from codewren.search.ranking import Problem, Scores, best_rows, pose
from codewren.search.result import Proxy, SearchResult
from codewren.search.space import GENES, SearchSpace
from codewren_runtime.errors import OptionError
from codewren_runtime.types import TaskKind

__all__ = ["ParetoSettings", "non_dominated", "pareto_search"]

Objectives = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ParetoSettings:
    """Settings of NSGA-II; `front` is how many architectures the answer shows at most."""

    seed: int = 0
    population: int = 100
    generations: int = 150
    crossover: float = 0.8
    front: int = 30


class ParetoFitness(base.Fitness):  # type: ignore[misc]
    """Bytes, milliseconds and capacity, with the violation of the budget beside them."""

    weights = (-1.0, -1.0, 1.0)
    violation = 0.0
    crowding_dist = 0.0  # set by tools.selNSGA2

    def dominates(self, other: ParetoFitness, obj: slice = slice(None)) -> bool:
        """Less violation dominates; at equal violation the objectives decide."""
        if self.violation != other.violation:
            return self.violation < other.violation
        return bool(super().dominates(other, obj))


class _Member(list[int]):
    def __init__(self, genes: list[int]) -> None:
        super().__init__(genes)
        self.fitness = ParetoFitness()


def pareto_search(
    space: SearchSpace,
    budget: Budget,
    kind: TaskKind,
    num_labels: int,
    timing: Timing,
    settings: ParetoSettings | None = None,
    *,
    proxy: Proxy = "executed",
    on_generation: Callable[[int], None] = lambda _: None,
) -> SearchResult:
    """The front of bytes, latency and capacity within the budget; the answer has most capacity.

    The candidates are the front, most capacity first, thinned to `settings.front` by crowding
    distance. `on_generation` is told the size of the front so far. Raises BudgetError if
    nothing feasible was met.
    """
    settings = settings or ParetoSettings()
    problem = pose(space, budget, kind, num_labels, proxy=proxy, timing=timing)
    run = _Run(problem, settings)
    for _ in range(settings.generations):
        run.step()
        on_generation(len(run.archive))
    if not len(run.archive):
        raise problem.nothing_fits(run.smallest)
    front = _thinned(problem, run.archive, settings.front)
    order = best_rows(problem.score(front), front, len(front))
    return problem.answer(
        front[order], run.evaluations, seed=settings.seed, settings=asdict(settings), pareto=True
    )


def non_dominated(objectives: Objectives) -> NDArray[np.bool_]:
    """Which rows (n, k), all to be minimised, no other row dominates: (n,) booleans.

    Of equal rows the first stays.
    """
    order = np.lexsort(objectives.T[::-1])
    kept = np.empty((0, objectives.shape[1]))
    stays = np.zeros(len(objectives), dtype=bool)
    # In lexicographic order only an earlier row can dominate a later one.
    for position in order:
        row = objectives[position]
        if not (kept <= row).all(axis=1).any():
            kept = np.concatenate([kept, row[None]])
            stays[position] = True
    return stays


class _Run:
    def __init__(self, problem: Problem, settings: ParetoSettings) -> None:
        self.problem, self.settings, self.rng = problem, settings, Random(settings.seed)
        self.archive: IntArray = np.empty((0, len(GENES)), dtype=np.int64)
        self.evaluations, self.smallest = 0, np.iinfo(np.int64).max
        members = [self._member() for _ in range(settings.population)]
        self._evaluate(members)
        self.population: list[_Member] = tools.selNSGA2(members, settings.population)

    def _member(self) -> _Member:
        return _Member(list(random_individual(self.problem.space, self.rng)))

    def step(self) -> None:
        """One generation: breed, score in one batch, and let the best fronts survive."""
        brood: dict[tuple[int, ...], _Member] = {}
        known = set(map(tuple, self.population))
        for _ in range(self.settings.population):
            pair = [_Member(self._parent()), _Member(self._parent())]
            if self.rng.random() < self.settings.crossover:
                mate(pair[0], pair[1], self.rng)
            for child in pair:
                mutate(child, self.problem.space, self.rng)
                repair(child, self.problem.space)
                if tuple(child) not in known:
                    brood[tuple(child)] = child
        children = list(brood.values())[: self.settings.population]
        self._evaluate(children)
        self.population = tools.selNSGA2([*self.population, *children], self.settings.population)

    def _parent(self) -> list[int]:
        # tools.selTournamentDCD draws from the global random state, which is not ours to move.
        first, second = self.rng.choices(self.population, k=2)
        if first.fitness.dominates(second.fitness):
            return list(first)
        if second.fitness.dominates(first.fitness):
            return list(second)
        return list(first if _crowding(first) >= _crowding(second) else second)

    def _evaluate(self, members: list[_Member]) -> None:
        if not members:
            return
        index = np.array(members, dtype=np.int64)
        scores = self.problem.score(index)
        for i, (member, values) in enumerate(zip(members, _columns(scores), strict=True)):
            member.fitness.values = tuple(values)
            member.fitness.violation = float(scores.violation[i])
        self.evaluations += len(members)
        self.smallest = min(self.smallest, int(scores.size_bytes.min()))
        pool = np.concatenate([self.archive, index[scores.violation == 0]])
        if len(pool):
            self.archive = pool[non_dominated(_minimised(self.problem.score(pool)))]


def _crowding(member: _Member) -> float:
    return member.fitness.crowding_dist


def _columns(scores: Scores) -> Objectives:
    """Objectives (n, 3): bytes, milliseconds, capacity."""
    if scores.latency_ms is None:
        raise OptionError("a Pareto front needs a latency model: run compress calibrate")
    return np.stack([scores.size_bytes, scores.latency_ms, scores.capacity], axis=1)


def _minimised(scores: Scores) -> Objectives:
    return _columns(scores) * (1, 1, -1)


def _thinned(problem: Problem, archive: IntArray, count: int) -> IntArray:
    """At most `count` rows of a front, those that stand least close to their neighbours."""
    members = [_Member(list(row)) for row in archive.tolist()]
    for member, values in zip(members, _columns(problem.score(archive)), strict=True):
        member.fitness.values = tuple(values)
    return np.array(tools.selNSGA2(members, min(count, len(members))), dtype=np.int64)
