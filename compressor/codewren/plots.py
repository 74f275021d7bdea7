"""Plots of the command line, drawn by matplotlib without a screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codewren_runtime.errors import MissingExtraError
from codewren_runtime.files import atomic_path

__all__ = ["line_plot", "new_axes", "save"]

Series = tuple[Sequence[float], Sequence[float]]


def new_axes(width: float = 7.0, height: float = 4.2) -> tuple[Any, Any]:
    """A figure with one set of axes; never touches pyplot's global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("search", "matplotlib") from error
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def save(figure: Any, *paths: Path) -> None:
    """Write the figure, each path in the format of its suffix, atomically."""
    for path in paths:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=path.suffix.removeprefix("."))


def line_plot(path: Path, series: Mapping[str, Series], *, title: str, axes: Iterable[str]) -> None:
    """Lines of (x, y); the first is drawn faint, as the noise behind the others."""
    figure, plot = new_axes()
    for index, (name, (x, y)) in enumerate(series.items()):
        plot.plot(
            x, y, label=name, alpha=0.3 if index == 0 else 1.0, linewidth=1 if index == 0 else 2
        )
    plot.set(title=title, **dict(zip(("xlabel", "ylabel"), axes, strict=True)))
    plot.legend(frameon=False)
    save(figure, path)
