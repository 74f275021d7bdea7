"""Why a text has its score: which lines, when left out, change it most."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codewren_runtime import Bundle
from codewren_runtime.tokenizer import CodeTokenizer

__all__ = ["Explanation", "Weight", "explain", "within_window"]

# So many predictions explain a text; a longer one loses several lines at a time.
MOST_PREDICTIONS = 64
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Weight:
    """Lines `first` to `last`, from 0, raise the probability by `weight`; below 0 they lower it."""

    first: int
    last: int
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The lines of a text, how many of them the window reaches, and what they add, most first."""

    lines: tuple[str, ...]
    read: int
    weights: tuple[Weight, ...]


def explain(
    text: str, probability: Callable[[str], float], fits: Callable[[str], bool]
) -> Explanation:
    """Leave out line after line, as far as the window goes, and look at the probability.

    `fits` tells whether a text is within the window. Lines are an editor's; blank ones weigh
    nothing and are not tried.
    """
    lines = _LINE.findall(text)
    read = _lines_read(lines, fits)
    step = max(1, -(-read // MOST_PREDICTIONS))
    whole = probability(text)
    weights = []
    for first in range(0, read, step):
        last = min(first + step, read)
        if "".join(lines[first:last]).strip():
            rest = "".join([*lines[:first], *lines[last:]])
            weights.append(Weight(first, last - 1, whole - probability(rest)))
    weights.sort(key=lambda found: -abs(found.weight))
    return Explanation(tuple(lines), read, tuple(weights))


def within_window(bundle: Bundle) -> Callable[[str], bool]:
    """Whether the bundle's model reads a text to its end."""
    manifest = bundle.manifest
    if manifest.long_inputs != "truncate":
        return lambda _: True
    # One token longer than the window, to tell a text that fills it from one that is cut.
    longest = manifest.architecture.max_length
    ruler = CodeTokenizer(bundle.tokenizer_json, longest + 1, manifest.task.normalisation)
    return lambda text: len(ruler.encode(text)) <= longest


def _lines_read(lines: Sequence[str], fits: Callable[[str], bool]) -> int:
    """How many lines a window reaches, the last one at least in part."""
    whole = bisect_left(range(1, len(lines) + 1), True, key=lambda n: not fits("".join(lines[:n])))
    return min(whole + 1, len(lines))
