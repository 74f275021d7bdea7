"""calibrate: a latency model of this CPU, from bundles that are measured on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codewren.latency.cpu import cpu_name
from codewren.latency.measure import random_architectures
from codewren.latency.model import LatencyModel, Measurement, cross_validate, fit
from codewren.latency.store import load_model, model_path, runtime_version, save_model
from codewren.progress import Reporter
from codewren_runtime.types import Architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ARCHITECTURES", "calibrate", "fitted", "measured_on_this_cpu"]

ARCHITECTURES = 48
PASSES = 3  # apart in time, so that what else the machine does rarely meets all of them


def calibrate(
    reporter: Reporter,
    *,
    architectures: int = ARCHITECTURES,
    seed: int = 0,
    out: Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Measure, fit and keep a latency model; returns it with the path of its file.

    A model that is there already is kept, unless `force`. The plot of predicted against
    measured milliseconds goes beside the file.
    """
    path = out or model_path()
    if not force and path.is_file():
        known = load_model(path)
        assert known is not None
        reporter.say(f"calibrate: {path} is there, kept; --force measures again")
        return {"path": str(path), **known.to_json()}
    measured = measured_on_this_cpu(reporter, random_architectures(architectures, seed), seed)
    model, predicted = fitted(measured)
    plot(measured, predicted, path)
    save_model(path, model)
    return {"path": str(path), **model.to_json()}


def measured_on_this_cpu(
    reporter: Reporter, shapes: Sequence[Architecture], seed: int
) -> list[Measurement]:
    """Measurements of all architectures, at several lengths each."""
    from codewren.latency import measure as lab
    from codewren_distill.vocabulary import train_tokenizer

    source, probes = lab.source_text(), []
    lines = source.splitlines(keepends=True)
    with reporter.step("calibrate: bundles", len(shapes)) as bar:
        tokenizers: dict[int, str] = {}
        for number, (shape, kind) in enumerate(lab.kinds_of(shapes)):
            size = max(v for v in lab.VOCABULARIES if v <= shape.vocab_size)
            if size not in tokenizers:
                tokenizers[size] = train_tokenizer(lines, size, "structure")
            bundle = lab.bundle_of(shape, kind, tokenizers[size])
            probes.append(lab.Probe(bundle, source, seed + number))
            bar.advance(1, f"hidden {shape.hidden_size}, layers {shape.num_layers}")
    passes: list[list[Measurement]] = []
    with reporter.step("calibrate: timing", PASSES * len(probes)) as bar:
        for _ in range(PASSES):
            passes.append([])
            for probe in probes:
                passes[-1] += probe.measure()
                bar.advance()
    return lab.least(passes)


def fitted(measured: list[Measurement]) -> tuple[LatencyModel, NDArray[np.float64]]:
    """The model, and what was predicted for each measurement without its architecture."""
    predicted = cross_validate(measured)
    errors = np.abs(predicted / [m.milliseconds for m in measured] - 1)
    model = LatencyModel(
        cpu=cpu_name(),
        onnxruntime=runtime_version(),
        coefficients=tuple(float(f"{cost:.6g}") for cost in fit(measured)),
        architectures=len({m.architecture for m in measured}),
        measurements=len(measured),
        median_error=round(float(np.median(errors)), 4),
        p90_error=round(float(np.quantile(errors, 0.9)), 4),
    )
    return model, predicted


def plot(measured: list[Measurement], predicted: NDArray[np.float64], path: Path) -> None:
    """Predicted against measured milliseconds, as PNG and SVG beside `path`."""
    from codewren.search.figures import BLUE, GREY, new_figure, save_figure, tidy

    figure = new_figure(width=6)
    axes = figure.subplots()
    times = np.array([m.milliseconds for m in measured])
    axes.scatter(times, predicted, s=14, color=BLUE, alpha=0.7)
    ends = np.array([min(times.min(), predicted.min()), max(times.max(), predicted.max())])
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.fill_between(ends, 0.9 * ends, 1.1 * ends, color=GREY, alpha=0.2, label="within 10 %")
    axes.set(xscale="log", yscale="log", xlabel="measured ms", ylabel="predicted ms, not seen")
    axes.set_title(f"{cpu_name()}, onnxruntime {runtime_version()}", fontsize=9)
    axes.legend(frameon=False)
    tidy(axes)
    save_figure(figure, path)
