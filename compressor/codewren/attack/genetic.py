"""The genetic half of ALERT, made of DEAP's parts: renamings that cross and mutate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from deap import base, tools

from codewren.attack.victim import Attempt, Victim

__all__ = ["genetic"]

POPULATION = 12
CROSSOVER = 0.7
STALE = 4  # generations without a new renaming: everything near was asked


class Fitness(base.Fitness):  # type: ignore[misc]
    """What the answer attacked loses; the more the better."""

    weights = (-1.0,)


class Individual(list[str | None]):
    """A substitute for each name; None keeps the name."""

    def __init__(self, genes: Sequence[str | None]) -> None:
        super().__init__(genes)
        self.fitness = Fitness()


def genetic(victim: Victim, candidates: Mapping[str, Sequence[str]], rng: Random) -> None:
    """Breed renamings until one flips the answer or the budget is spent."""
    names = [name for name in candidates if candidates[name]]
    toolbox = _toolbox(victim, names, candidates, rng)
    population = toolbox.start()
    stale = 0
    while not victim.over and stale < STALE:
        before = victim.queries
        brood = [_child(population, toolbox, rng) for _ in range(POPULATION)]
        population = tools.selBest(
            _distinct([*population, *_scored(victim, names, brood)]), POPULATION
        )
        stale = stale + 1 if victim.queries == before else 0


def _toolbox(
    victim: Victim, names: list[str], candidates: Mapping[str, Sequence[str]], rng: Random
) -> base.Toolbox:
    options = [candidates[name] for name in names]
    toolbox = base.Toolbox()
    toolbox.register("start", _start, victim, candidates)
    toolbox.register("mate", _mate, rng=rng)
    toolbox.register("mutate", _mutate, options=options, rng=rng)
    return toolbox


def _start(victim: Victim, candidates: Mapping[str, Sequence[str]]) -> list[Individual]:
    """The best of what the greedy half has asked; masks are no substitutes."""
    known = [
        attempt
        for attempt in victim.asked.values()
        if all(new in candidates[name] for name, new in attempt.renaming.items())
    ]
    known.sort(key=lambda attempt: attempt.probability)
    names = [name for name in candidates if candidates[name]]
    return [_individual(attempt, names) for attempt in known[:POPULATION]]


def _individual(attempt: Attempt, names: list[str]) -> Individual:
    individual = Individual([attempt.renaming.get(name) for name in names])
    individual.fitness.values = (attempt.probability,)
    return individual


def _child(population: list[Individual], toolbox: base.Toolbox, rng: Random) -> Individual:
    # tools.selTournament draws from the global random state, which is not ours to move.
    first, second = (
        min(rng.choices(population, k=2), key=lambda i: i.fitness.values) for _ in range(2)
    )
    child = Individual(first)
    if rng.random() < CROSSOVER:
        toolbox.mate(child, second)
    toolbox.mutate(child)
    return child


def _mate(child: Individual, other: Individual, rng: Random) -> None:
    child[:] = [
        theirs if rng.random() < 0.5 else ours for ours, theirs in zip(child, other, strict=True)
    ]


def _mutate(child: Individual, options: list[Sequence[str]], rng: Random) -> None:
    """One name gets another substitute; one that an earlier name has is dropped."""
    at = rng.randrange(len(child))
    child[at] = rng.choice(options[at])
    child[:] = [None if gene in child[:place] else gene for place, gene in enumerate(child)]


def _scored(victim: Victim, names: list[str], brood: list[Individual]) -> list[Individual]:
    renamings = [
        {name: gene for name, gene in zip(names, child, strict=True) if gene is not None}
        for child in brood
    ]
    found = []
    for renaming in renamings:
        found += victim.ask([renaming])
        if victim.over:
            break
    return [_individual(attempt, names) for attempt in found]


def _distinct(individuals: list[Individual]) -> list[Individual]:
    return list({tuple(individual): individual for individual in individuals}.values())
