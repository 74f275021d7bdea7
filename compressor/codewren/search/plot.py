"""Pictures of a search: how it went, and what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from codewren.search.result import SearchResult
from codewren_runtime.errors import MissingExtraError
from codewren_runtime.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_search", "save_figure"]

# Okabe and Ito's palette: told apart by the colour-blind and in greyscale.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8a8a8a"


def plot_search(result: SearchResult, path: Path) -> tuple[Path, Path]:
    """Draw a search and save it as PNG and SVG beside `path`, whose suffix does not matter.

    Left, for a genetic search: best and median GFLOPs and the feasible share per generation.
    Right: the best candidates by bytes and GFLOPs, with the budget. Raises MissingExtraError
    without matplotlib, OptionError if the folder cannot be written.
    """
    figure = new_figure(width=11.5 if result.history else 6.5)
    axes = figure.subplots(1, 2 if result.history else 1, squeeze=False)[0]
    if result.history:
        _draw_history(axes[0], result)
    _draw_candidates(axes[-1], result)
    method = "enumeration" if result.seed is None else f"genetic search, seed {result.seed}"
    figure.suptitle(
        f"Space “{result.space}”, {result.budget.size_bytes:,} bytes at {result.budget.bits} bits "
        f"({result.formula} formula)\n{method}, {result.evaluations:,} evaluations",
        fontsize=11,
    )
    return save_figure(figure, path)


def new_figure(width: float, height: float = 4.8) -> Figure:
    """An empty figure, in inches, drawn without a display and without global state."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("search", "matplotlib") from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Save as PNG and SVG, atomically; returns both paths."""
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    with atomic_path(png) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    with atomic_path(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    return png, svg


def _draw_history(axes: Any, result: SearchResult) -> None:
    generations = [record.generation + 1 for record in result.history]
    nan = float("nan")
    best = [nan if r.best_gflops is None else r.best_gflops for r in result.history]
    median = [nan if r.median_gflops is None else r.median_gflops for r in result.history]
    axes.plot(generations, best, color=BLUE, linewidth=2.2, label="best so far", zorder=3)
    axes.plot(generations, median, color=ORANGE, linewidth=1.3, label="median of the feasible")
    axes.set(xlabel="generation", ylabel="GFLOPs of a prediction", ylim=(0, None))
    share = axes.twinx()
    feasible = [100 * record.feasible for record in result.history]
    share.fill_between(generations, feasible, color=GREY, alpha=0.15, label="feasible share")
    share.set(ylabel="feasible, % of the population", ylim=(0, 105))
    axes.set_zorder(share.get_zorder() + 1)
    axes.patch.set_visible(False)
    handles = [*axes.get_legend_handles_labels()[0], *share.get_legend_handles_labels()[0]]
    _legend(axes, handles)
    axes.set_title("Every fall of the median is a fresh population", fontsize=10)
    _tidy(axes, share)


def _draw_candidates(axes: Any, result: SearchResult) -> None:
    budget = result.budget.size_bytes / 1e6
    sizes = [candidate.size_bytes / 1e6 for candidate in result.candidates]
    gflops = [candidate.gflops for candidate in result.candidates]
    axes.axvline(budget, color=ORANGE, linestyle="--", linewidth=1.3, label="budget")
    axes.scatter(sizes[1:], gflops[1:], color=GREY, s=34, label="runners-up", zorder=2)
    axes.scatter(sizes[:1], gflops[:1], color=BLUE, s=110, marker="*", label="best", zorder=3)
    axes.margins(x=0.2, y=0.2)
    axes.set(xlabel="MB on disk (1 MB = 1,000,000 bytes)", ylabel="GFLOPs of a prediction")
    axes.ticklabel_format(useOffset=False)
    _legend(axes, axes.get_legend_handles_labels()[0])
    a = result.architecture
    axes.set_title(
        f"Best: vocabulary {a.vocab_size}, hidden {a.hidden_size}, layers {a.num_layers}, "
        f"heads {a.num_heads},\nintermediate {a.intermediate_size} "
        f"({result.best.parameters:,} parameters, {result.best.gflops:.4f} GFLOPs)",
        fontsize=10,
    )
    _tidy(axes)


def _legend(axes: Any, handles: list[Any]) -> None:
    """Below the axes, where it hides nothing."""
    labels = [handle.get_label() for handle in handles]
    axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3,
                frameon=False, fontsize=9)  # fmt: skip


def _tidy(*all_axes: Any) -> None:
    for axes in all_axes:
        axes.spines["top"].set_visible(False)
        axes.grid(False)
    all_axes[0].grid(True, color="#e6e6e6", linewidth=0.8)
    all_axes[0].set_axisbelow(True)
