"""One text under attack: what was asked, what it cost, and the best renaming so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from codewren.rewriting import Code
from codewren.target import Judged, Target
from codewren_runtime.types import Example

__all__ = ["Attempt", "Renaming", "Victim"]

Renaming = Mapping[str, str]
_Key = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A renaming, the probability that it leaves to the answer attacked, and if it flips that."""

    renaming: Renaming
    probability: float
    flips: bool


@dataclass
class Victim:
    """An example whose first text is renamed to change `answer`, within `budget` queries.

    A query is one text, or pair, that the model judges. Nothing is asked twice.
    """

    target: Target
    example: Example
    code: Code
    answer: int
    best: Attempt
    budget: int
    queries: int = 0
    asked: dict[_Key, Attempt] = field(default_factory=dict)

    @classmethod
    def of(
        cls, target: Target, example: Example, code: Code, judged: Judged, budget: int
    ) -> Victim:
        """`judged` is the model's answer to the example, which was the first query."""
        answer, probabilities = judged
        unchanged = Attempt({}, probabilities[answer], flips=False)
        known = {frozenset[tuple[str, str]](): unchanged}
        return cls(target, example, code, answer, unchanged, budget, 1, known)

    @property
    def over(self) -> bool:
        """Whether the attack has succeeded or may ask no more."""
        return self.best.flips or self.queries >= self.budget

    def ask(self, renamings: Sequence[Renaming], *, keep: bool = True) -> list[Attempt]:
        """Judge renamings as far as the budget goes; the results may be fewer.

        With `keep` false they do not count as the attack's: names that no one would write.
        """
        found: list[Attempt | None] = []
        new: dict[_Key, Renaming] = {}
        for renaming in renamings:
            key = frozenset(renaming.items())
            if key in self.asked or key in new or self.queries + len(new) < self.budget:
                if key not in self.asked:
                    new[key] = renaming
                found.append(None)
        for key, attempt in zip(new, self._judge(list(new.values())), strict=True):
            self.asked[key] = attempt
            if keep and (attempt.flips, -attempt.probability) > (
                self.best.flips,
                -self.best.probability,
            ):
                self.best = attempt
        keys = [frozenset(renaming.items()) for renaming in renamings]
        return [self.asked[key] for key in keys if key in self.asked]

    def _judge(self, renamings: Sequence[Renaming]) -> list[Attempt]:
        self.queries += len(renamings)
        examples = [replace(self.example, text=self.code.renamed(names)) for names in renamings]
        return [
            Attempt(names, probabilities[self.answer], answer != self.answer)
            for names, (answer, probabilities) in zip(
                renamings, self.target.judge(examples), strict=True
            )
        ]
