"""The greedy half of ALERT: the most important name first, each with its worst substitute.

Yang et al., "Natural Attack for Pre-trained Models of Code" (ICSE 2022), section 3.3: the
importance of a name is what its answer loses when the name is masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from codewren.attack.victim import Victim

__all__ = ["greedy"]

CHUNK = 8  # substitutes judged at a time: a flip ends the attack, the rest is not asked
LEAST = 6  # substitutes tried for a name, however many names there are

Candidates = Mapping[str, Sequence[str]]


def greedy(victim: Victim, candidates: Candidates, share: float = 0.6) -> None:
    """Rename one name after the other, as long as each helps; `share` of the budget at most."""
    names = by_importance(victim, candidates)
    limit = min(victim.budget, max(victim.queries + LEAST, round(share * victim.budget)))
    for done, name in enumerate(names):
        if victim.over or victim.queries >= limit:
            return
        each = max(LEAST, (limit - victim.queries) // min(len(names) - done, 4))
        _substitute(victim, name, candidates[name][:each])


def by_importance(victim: Victim, candidates: Candidates) -> list[str]:
    """Names with substitutes, that whose mask costs the answer most first.

    Where there are more names than a quarter of the budget, the most frequent are masked.
    """
    spans = victim.code.names
    names = sorted((n for n in candidates if candidates[n]), key=lambda name: -len(spans[name]))
    masked = names[: max(1, (victim.budget - victim.queries) // 4)]
    mask = next(word for word in _masks() if victim.code.accepts(word))
    attempts = victim.ask([{name: mask} for name in masked], keep=False)
    left = {name: attempt.probability for name, attempt in zip(masked, attempts, strict=False)}
    return sorted(names, key=lambda name: left.get(name, 2.0))


def _masks() -> Iterator[str]:
    yield "unk"
    for number in count():
        yield f"unk{number}"


def _substitute(victim: Victim, name: str, options: Sequence[str]) -> None:
    so_far = {k: v for k, v in victim.best.renaming.items() if k != name}
    taken = set(so_far.values())
    new = [{**so_far, name: option} for option in options if option not in taken]
    for start in range(0, len(new), CHUNK):
        victim.ask(new[start : start + CHUNK])
        if victim.over:
            return
