"""What the pictures of a search share: figures without a display, palette, legend."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from codewren_runtime.errors import MissingExtraError
from codewren_runtime.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "UNITS",
    "legend",
    "new_figure",
    "save_figure",
    "tidy",
]

# A proxy's unit, and what it is called.
UNITS = {
    "flops": (1e9, "GFLOPs of a prediction"),
    "executed": (1e9, "executed GFLOPs of a prediction"),
    "parameters": (1e6, "million parameters"),
}

# Okabe and Ito's palette: told apart by the colour-blind and in greyscale.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8a8a8a"


def new_figure(width: float, height: float = 4.8) -> Figure:
    """An empty figure, in inches, drawn without a display and without global state."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtraError("search", "matplotlib") from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, path: Path) -> tuple[Path, Path]:
    """Save as PNG and SVG, atomically; returns both paths. The same figure, the same bytes."""
    from matplotlib import rc_context

    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    with atomic_path(png) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    # Without the salt its ids would differ from run to run.
    with atomic_path(svg) as temporary, rc_context({"svg.hashsalt": path.name}):
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    return png, svg


def legend(axes: Any, handles: list[Any]) -> None:
    """Below the axes, where it hides nothing."""
    labels = [handle.get_label() for handle in handles]
    axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3,
                frameon=False, fontsize=9)  # fmt: skip


def tidy(*all_axes: Any) -> None:
    """Fewer lines: a grid for the first of the axes alone, and no frame on top."""
    for axes in all_axes:
        axes.spines["top"].set_visible(False)
        axes.grid(False)
    all_axes[0].grid(True, color="#e6e6e6", linewidth=0.8)
    all_axes[0].set_axisbelow(True)
