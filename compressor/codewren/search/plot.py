"""Pictures of a search: how it went, and what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codewren.search.figures import (
    BLUE,
    GREY,
    ORANGE,
    UNITS,
    legend,
    new_figure,
    save_figure,
    tidy,
)
from codewren.search.front_plot import draw_front
from codewren.search.result import Candidate, SearchResult, capacity

__all__ = ["plot_search"]


def plot_search(
    result: SearchResult, path: Path, published: Candidate | None = None
) -> tuple[Path, Path]:
    """Draw a search and save it as PNG and SVG beside `path`, whose suffix does not matter.

    For a genetic search: best and median capacity and the feasible share per generation, and
    the best candidates by bytes and capacity, with the budget. For a Pareto front: capacity by
    latency and by bytes, with the `published` architecture on it. Raises MissingExtraError
    without matplotlib, OptionError if the folder cannot be written.
    """
    wide = bool(result.history) or result.pareto
    figure = new_figure(width=11.5 if wide else 6.5)
    axes = figure.subplots(1, 2 if wide else 1, squeeze=False)[0]
    if result.pareto:
        draw_front(axes, result, published)
    else:
        if result.history:
            _draw_history(axes[0], result)
        _draw_candidates(axes[-1], result)
    method = "enumeration" if result.seed is None else f"genetic search, seed {result.seed}"
    figure.suptitle(
        f"Space “{result.space}”, {result.budget.encoder_bytes:,} bytes at {result.budget.bits} "
        f"bits ({result.formula} formula)\n{method}, {result.evaluations:,} evaluations",
        fontsize=11,
    )
    return save_figure(figure, path)


def _draw_history(axes: Any, result: SearchResult) -> None:
    generations = [record.generation + 1 for record in result.history]
    nan = float("nan")
    scale, name = UNITS[result.proxy]
    best = [nan if r.best_capacity is None else r.best_capacity / scale for r in result.history]
    median = [
        nan if r.median_capacity is None else r.median_capacity / scale for r in result.history
    ]
    axes.plot(generations, best, color=BLUE, linewidth=2.2, label="best so far", zorder=3)
    axes.plot(generations, median, color=ORANGE, linewidth=1.3, label="median of the feasible")
    axes.set(xlabel="generation", ylabel=name, ylim=(0, None))
    share = axes.twinx()
    feasible = [100 * record.feasible for record in result.history]
    share.fill_between(generations, feasible, color=GREY, alpha=0.15, label="feasible share")
    share.set(ylabel="feasible, % of the population", ylim=(0, 105))
    axes.set_zorder(share.get_zorder() + 1)
    axes.patch.set_visible(False)
    handles = [*axes.get_legend_handles_labels()[0], *share.get_legend_handles_labels()[0]]
    legend(axes, handles)
    axes.set_title("Every fall of the median is a fresh population", fontsize=10)
    tidy(axes, share)


def _draw_candidates(axes: Any, result: SearchResult) -> None:
    scale, name = UNITS[result.proxy]
    budget = result.budget.encoder_bytes / 1e6
    sizes = [candidate.size_bytes / 1e6 for candidate in result.candidates]
    capacities = [capacity(candidate, result.proxy) / scale for candidate in result.candidates]
    axes.axvline(budget, color=ORANGE, linestyle="--", linewidth=1.3, label="budget")
    axes.scatter(sizes[1:], capacities[1:], color=GREY, s=34, label="runners-up", zorder=2)
    axes.scatter(sizes[:1], capacities[:1], color=BLUE, s=110, marker="*", label="best", zorder=3)
    axes.margins(x=0.2, y=0.2)
    axes.set(xlabel="MB on disk (1 MB = 1,000,000 bytes)", ylabel=name)
    axes.ticklabel_format(useOffset=False)
    legend(axes, axes.get_legend_handles_labels()[0])
    a = result.architecture
    axes.set_title(
        f"Best: vocabulary {a.vocab_size}, hidden {a.hidden_size}, layers {a.num_layers}, "
        f"heads {a.num_heads},\nintermediate {a.intermediate_size} "
        f"({result.best.parameters:,} parameters, {result.best.gflops:.4f} GFLOPs)",
        fontsize=10,
    )
    tidy(axes)
