"""Attack one example: rename locals of its first text until the model's answer changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from codewren.attack.genetic import genetic
from codewren.attack.greedy import greedy
from codewren.attack.victim import Victim
from codewren.rewriting import Code
from codewren.target import Judged, Target
from codewren_runtime.types import Example

__all__ = ["Outcome", "attack_example"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attack: the renaming that flips the answer, or else the nearest to it.

    `before` and `after` are the probabilities of the answer attacked; `queries` counts the first.
    """

    flipped: bool
    renaming: Mapping[str, str]
    before: float
    after: float
    queries: int


def attack_example(
    target: Target,
    example: Example,
    judged: Judged,
    code: Code,
    candidates: Mapping[str, Sequence[str]],
    *,
    queries: int,
    rng: Random,
) -> Outcome:
    """Attack the answer `judged` that the target gave, within `queries` judgements.

    Greedy first, then genetic with what is left of the budget. `candidates` must be names that
    `code` accepts.
    """
    victim = Victim.of(target, example, code, judged, queries)
    if candidates:
        greedy(victim, candidates)
        genetic(victim, candidates, rng)
    return Outcome(
        victim.best.flips,
        dict(victim.best.renaming),
        judged[1][judged[0]],
        victim.best.probability,
        victim.queries,
    )
