"""What benchmarks share: a table of the report, and figures over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

__all__ = ["over_seeds", "table"]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def over_seeds(values: Sequence[float]) -> dict[str, Any]:
    """Mean and standard deviation over seeds, and all of them."""
    deviation = stdev(values) if len(values) > 1 else 0.0
    every = [round(value, 5) for value in values]
    return {"mean": round(mean(values), 5), "sd": round(deviation, 5), "all": every}
