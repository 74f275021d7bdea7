"""What a bundle says about the functions of open documents, and what it has said already.

An engine hands out its work as jobs, small enough to take turns, and answers from what the jobs
have left in its memory. Thread-safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from codewren.lsp.located import Located
from codewren_runtime import Model, Prediction

__all__ = ["Engine", "Finding", "Job", "Like", "View", "remarkable"]

Job = Callable[[], object]


@dataclass(frozen=True, slots=True)
class View:
    """A document among all that are open, and what is worth a word there."""

    uri: str
    everywhere: Mapping[str, Sequence[Located]]  # the functions of each document, by its uri
    threshold: float

    @property
    def functions(self) -> Sequence[Located]:
        """The document's own."""
        return self.everywhere[self.uri]

    def others(self, function: Located) -> Iterator[tuple[str, Located]]:
        """The functions of all documents that share no text with one of this document."""
        for uri, functions in self.everywhere.items():
            for other in functions:
                if uri != self.uri or other.end <= function.start or function.end <= other.start:
                    yield uri, other


@dataclass(frozen=True, slots=True)
class Like:
    """Another function, in the document `uri`, and what the pair was judged as."""

    uri: str
    function: Located
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A function that is worth a diagnostic; from a pair model also those that it is like."""

    function: Located
    rule: str
    label: str
    probability: float
    like: tuple[Like, ...] = ()


class Engine(Protocol):
    """A bundle at work."""

    model: Model
    joint: bool  # whether the findings of one document depend on the others

    def jobs(self, view: View) -> Iterator[Job]:
        """What is left to do before `findings` knows all; raises OptionError for too much."""

    def findings(self, view: View) -> list[Finding]:
        """What is known by now about the document's functions."""

    def explain(self, view: View, function: Located) -> str:
        """Why one of the document's functions has its score, in Markdown."""


def remarkable(model: Model, prediction: Prediction) -> tuple[str, float]:
    """The likeliest label but the first, which stands for what needs no word."""
    return max(
        ((label, prediction.probabilities[label]) for label in model.labels[1:]),
        key=lambda answer: answer[1],
    )
