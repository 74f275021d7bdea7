"""The picture of a Pareto front: what capacity costs in milliseconds and in bytes."""

from __future__ import annotations

from math import inf
from typing import Any

from codewren.search.figures import BLUE, GREEN, ORANGE, UNITS, legend, tidy
from codewren.search.result import Candidate, SearchResult, capacity

__all__ = ["draw_front"]


def draw_front(axes: Any, result: SearchResult, published: Candidate | None) -> None:
    """Two axes: capacity by latency, and capacity by bytes, with limits and `published`."""
    budget = result.budget
    views = (
        ("predicted milliseconds of a prediction", budget.predicted_limit_ms, _latency),
        ("MB on disk (1 MB = 1,000,000 bytes)", budget.encoder_bytes / 1e6, _megabytes),
    )
    for ax, (label, limit, figure) in zip(axes, views, strict=True):
        _draw(ax, result, published, figure)
        if limit < inf:
            ax.axvline(limit, color=ORANGE, linestyle="--", linewidth=1.3, label="budget")
        ax.set(xlabel=label, ylabel=UNITS[result.proxy][1], xscale="log", yscale="log")
        legend(ax, ax.get_legend_handles_labels()[0])
        tidy(ax)


def _draw(ax: Any, result: SearchResult, published: Candidate | None, figure: Any) -> None:
    scale = UNITS[result.proxy][0]

    def points(candidates: list[Candidate]) -> tuple[list[float], list[float]]:
        return (
            [figure(candidate) for candidate in candidates],
            [capacity(candidate, result.proxy) / scale for candidate in candidates],
        )

    front = list(result.candidates)
    ax.scatter(*points(front), color=BLUE, s=30, label="front", zorder=2)
    ax.scatter(*points(front[:1]), color=BLUE, s=130, marker="*", label="answer", zorder=3)
    if published is not None:
        style: dict[str, Any] = {"color": GREEN, "s": 70, "marker": "D"}
        ax.scatter(*points([published]), label="published student", zorder=4, **style)


def _latency(candidate: Candidate) -> float:
    assert candidate.latency_ms is not None
    return candidate.latency_ms


def _megabytes(candidate: Candidate) -> float:
    return candidate.size_bytes / 1e6
