"""A genetic algorithm over architectures, made of DEAP's parts, under a hard budget.

Each generation breeds by tournament, uniform crossover and step mutations; the whole brood
is scored in one numpy batch; the distinct best of parents and brood survive; and the
champion climbs (`polish`). A population that stagnates is replaced by a random one, while
the hall of fame keeps what was found. The same seed gives the same result to the last bit,
also when the run was interrupted and resumed from its checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
from deap import base, tools

from codewren.budget import Budget
from codewren.search.checkpoint import RunState, load_state, save_state
from codewren.search.cost import Timing
from codewren.search.operators import (
    Individual,
    mate,
    mutate,
    polish,
    random_individual,
    repair,
)
from codewren.search.ranking import Problem, pose
from codewren.search.result import Formula, GenerationRecord, Proxy, SearchResult
from codewren.search.space import SearchSpace
from codewren_runtime.errors import OptionError
from codewren_runtime.files import sha256_of
from codewren_runtime.types import TaskKind

__all__ = ["GeneticSettings", "search"]


@dataclass(frozen=True, slots=True)
class GeneticSettings:
    """Settings of the genetic algorithm; the defaults find the optimum of the paper's space.

    `patience`: generations without a better champion before the population is replaced.
    `reach`: steps of each gene that the champion looks around. `top`: runners-up to keep.
    """

    seed: int = 0
    population: int = 60
    generations: int = 150
    tournament: int = 3
    crossover: float = 0.6
    patience: int = 12
    reach: int = 16
    top: int = 10
    checkpoint_every: int = 10

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            least = {"seed": 0, "population": 4, "crossover": 0}.get(name, 1)
            number = (int, float) if name == "crossover" else int
            if isinstance(value, bool) or not isinstance(value, number) or value < least:
                raise OptionError(f"search: {name} must be a number from {least}, not {value!r}")
        if self.crossover > 1:
            raise OptionError(f"search: crossover is a probability, not {self.crossover!r}")


def search(
    space: SearchSpace,
    budget: Budget,
    kind: TaskKind,
    num_labels: int,
    settings: GeneticSettings | None = None,
    *,
    formula: Formula = "codewren",
    proxy: Proxy = "executed",
    timing: Timing | None = None,
    on_generation: Callable[[GenerationRecord], None] | None = None,
    checkpoint: Path | None = None,
) -> SearchResult:
    """The architecture of most capacity within the budget, by the genetic algorithm.

    `proxy` is what stands for capacity; `timing` predicts latency. `on_generation` is told of
    each generation; a run resumed from `checkpoint` tells only of the new ones. Raises
    BudgetError if nothing fits, and OptionError if `checkpoint` was made by another search.
    """
    settings = settings or GeneticSettings()
    problem = pose(space, budget, kind, num_labels, formula=formula, proxy=proxy, timing=timing)
    run = _Run(problem, settings)
    asked = [space.sha256, budget.to_json(), kind, num_labels, formula, proxy, asdict(settings)]
    key = sha256_of(asked)
    if checkpoint is not None and checkpoint.exists():
        run.restore(load_state(checkpoint, key, space))
    else:
        run.start()
    while run.generation < settings.generations:
        record = run.step()
        done = run.generation == settings.generations
        if checkpoint is not None and (done or run.generation % settings.checkpoint_every == 0):
            save_state(checkpoint, key, run.state())
        if on_generation is not None:
            on_generation(record)
    if not run.hall[0].fitness.feasible:
        raise problem.nothing_fits(run.hall[0].fitness.size_bytes)
    return problem.answer(
        np.array([individual for individual in run.hall if individual.fitness.feasible]),
        run.evaluations,
        seed=settings.seed,
        settings=asdict(settings),
        history=tuple(GenerationRecord(**entry) for entry in run.logbook),
    )


class _Run:
    """The state of a run between two generations, and the step from one to the next."""

    def __init__(self, problem: Problem, settings: GeneticSettings) -> None:
        self.problem, self.settings = problem, settings
        self.rng = Random(settings.seed)
        self.population: list[Individual] = []
        self.hall = tools.HallOfFame(settings.top)
        self.logbook = tools.Logbook()
        self.evaluations = self.restarts = self.stagnant = 0
        self.toolbox = self._toolbox()

    @property
    def generation(self) -> int:
        return len(self.logbook)

    def _toolbox(self) -> base.Toolbox:
        toolbox, space = base.Toolbox(), self.problem.space
        toolbox.register("individual", random_individual, space, self.rng)
        toolbox.register("mate", mate, rng=self.rng)
        toolbox.register("mutate", mutate, space=space, rng=self.rng)
        toolbox.register("repair", repair, space=space)
        toolbox.register("polish", polish, problem=self.problem, reach=self.settings.reach)
        toolbox.register("survive", tools.selBest, k=self.settings.population)
        return toolbox

    def start(self) -> None:
        """Fill the population at random."""
        self.population = tools.initRepeat(list, self.toolbox.individual, self.settings.population)
        self.stagnant = 0
        self._evaluate(self.population)

    def step(self) -> GenerationRecord:
        """One generation; returns its record, which is also the logbook's last entry."""
        if self.stagnant >= self.settings.patience:
            self.restarts += 1
            self.start()
        champion = tools.selBest(self.population, 1)[0]
        pool = _distinct([*self.population, *self._brood()])
        self.population = self.toolbox.survive(pool)
        self._climb(fresh=self.stagnant == 0 or self.population[0].fitness > champion.fitness)
        better = self.population[0].fitness > champion.fitness
        self.stagnant = 0 if better else self.stagnant + 1
        self.hall.update(self.population)
        return self._record()

    def _brood(self) -> list[Individual]:
        brood: list[Individual] = []
        while len(brood) < self.settings.population:
            pair = [Individual(self._parent()), Individual(self._parent())]
            if self.rng.random() < self.settings.crossover:
                self.toolbox.mate(*pair)
            for child in pair:
                self.toolbox.mutate(child)
                self.toolbox.repair(child)
            brood += pair
        self._evaluate(brood)
        return brood

    def _parent(self) -> Individual:
        # tools.selTournament draws from the global random state, which is not ours to move.
        entrants = self.rng.choices(self.population, k=self.settings.tournament)
        return max(entrants, key=lambda individual: individual.fitness)

    def _climb(self, *, fresh: bool) -> None:
        """Let the champion climb; one that stopped climbing lets any other survivor try."""
        climber = self.population[0] if fresh else self.rng.choice(self.population)
        genes, evaluations = self.toolbox.polish(climber)
        self.evaluations += evaluations
        if genes != climber:
            climbed = Individual(genes)
            self._evaluate([climbed])
            self.population = self.toolbox.survive(_distinct([*self.population, climbed]))

    def _evaluate(self, individuals: list[Individual]) -> None:
        """Score all of them in one batch."""
        index = np.array(individuals, dtype=np.int64)
        scores = self.problem.score(index)
        columns = (scores.violation, scores.capacity, scores.size_bytes, *index.T)
        for individual, values in zip(individuals, zip(*columns, strict=True), strict=True):
            individual.fitness.values = tuple(value.item() for value in values)
        self.evaluations += len(individuals)

    def _record(self) -> GenerationRecord:
        feasible = [i.fitness.capacity for i in self.population if i.fitness.feasible]
        best = self.hall[0].fitness if self.hall[0].fitness.feasible else None
        record = GenerationRecord(
            generation=self.generation,
            evaluations=self.evaluations,
            restarts=self.restarts,
            feasible=len(feasible) / len(self.population),
            best_capacity=best.capacity if best else None,
            median_capacity=float(np.median(feasible)) if feasible else None,
            best_bytes=best.size_bytes if best else None,
        )
        self.logbook.record(**asdict(record))
        return record

    def state(self) -> RunState:
        """Everything that the next generation depends on."""
        return RunState(
            random=self.rng.getstate(),
            population=[list(individual) for individual in self.population],
            hall=[list(individual) for individual in self.hall],
            history=[dict(entry) for entry in self.logbook],
            evaluations=self.evaluations,
            restarts=self.restarts,
            stagnant=self.stagnant,
        )

    def restore(self, state: RunState) -> None:
        """Inverse of `state`."""
        self.rng.setstate(state.random)
        self.population = [Individual(genes) for genes in state.population]
        hall = [Individual(genes) for genes in state.hall]
        self._evaluate(self.population)
        self._evaluate(hall)
        self.hall.update(hall)
        for entry in state.history:
            self.logbook.record(**entry)
        self.evaluations, self.restarts = state.evaluations, state.restarts
        self.stagnant = state.stagnant


def _distinct(individuals: list[Individual]) -> list[Individual]:
    return list({tuple(individual): individual for individual in individuals}.values())
