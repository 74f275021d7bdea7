"""Explanations as Markdown, for the small window over a function."""

from __future__ import annotations

import re
from collections.abc import Sequence

from codewren.lsp.engine import Like
from codewren.occlusion import Explanation, Weight
from codewren_runtime import Prediction

__all__ = ["pair_hover", "single_hover"]

MOST_LINES = MOST_LIKE = 5
LEAST_WEIGHT = 0.005  # a smaller change of the probability is no reason
WIDTH = 80


def single_hover(
    prediction: Prediction, threshold: float, label: str, explanation: Explanation, first: int
) -> str:
    """The answer, the lines that matter to `label`, and what the model did not read.

    `first` is the function's first line in its file, from 1.
    """
    scores = ", ".join(f"{name} {p:.1%}" for name, p in prediction.probabilities.items())
    parts = [
        f"**{prediction.label}** {prediction.probability:.1%}",
        f"{scores}; reported from {threshold:.0%}",
    ]
    weights = [w for w in explanation.weights if abs(w.weight) >= LEAST_WEIGHT][:MOST_LINES]
    if weights:
        reasons = "\n".join(_reason(weight, explanation.lines, first) for weight in weights)
        parts.append(f"What each line adds to *{label}*:\n\n{reasons}")
    else:
        parts.append(f"No line alone matters to *{label}*.")
    unread = len(explanation.lines) - explanation.read
    if unread:
        parts.append(
            f"The model reads as far as line {first + explanation.read - 1}: "
            f"{unread} more {'line was' if unread == 1 else 'lines were'} not judged."
        )
    return "\n\n".join(parts)


def pair_hover(like: Sequence[Like], threshold: float) -> str:
    """The functions that one is most like."""
    if not like:
        return "No other function is open to compare with."
    rows = [
        f"- {_code(other.function.name)}, line {other.function.start[0] + 1} of "
        f"[{_plain(other.uri.rsplit('/', 1)[-1])}]({other.uri}): {other.label} "
        f"{other.probability:.1%}"
        for other in like[:MOST_LIKE]
    ]
    return f"The likest functions in open files; reported from {threshold:.0%}:\n\n" + "\n".join(
        rows
    )


def _reason(weight: Weight, lines: Sequence[str], first: int) -> str:
    begin, end = first + weight.first, first + weight.last
    where = f"line {begin}" if begin == end else f"lines {begin} to {end}"
    text = next(line for line in lines[weight.first : weight.last + 1] if line.strip()).strip()
    return f"- {100 * weight.weight:+.1f} points, {where}: {_code(text)}"


def _code(text: str) -> str:
    """A span of code, whatever is in the text."""
    text = text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
    text = "".join(character if character.isprintable() else " " for character in text)
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def _plain(text: str) -> str:
    return re.sub(r"[\[\]()<>`]", " ", text)
