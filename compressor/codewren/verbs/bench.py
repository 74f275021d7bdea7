"""bench: what a bundle costs on this machine, and what others cost beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from codewren.bench import fresh
from codewren.bench.contestants import Contestant, of_bundle, of_checkpoint
from codewren.bench.inputs import read_inputs
from codewren.bench.install import RUNTIME, TORCH, installed
from codewren.bench.machine import machine
from codewren.bench.timing import Predict, by_length, interleaved, ratio, threaded
from codewren.progress import Reporter
from codewren_runtime.errors import OptionError
from codewren_runtime.files import write_json

__all__ = ["BenchSettings", "bench"]

NAME = "bench"


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """Who takes part, on what, and how often; None where the machine decides.

    `starts` counts fresh processes of each, `passes` how often each function is answered.
    """

    bundles: tuple[Path, ...]
    against: tuple[str, ...] = ()
    data: Path | None = None
    field: str = "func"
    functions: int = 100
    passes: int = 5
    threads: tuple[int, ...] | None = None
    starts: int = 10
    max_length: int = 400
    seed: int = 0
    out: Path | None = None


def bench(settings: BenchSettings, reporter: Reporter) -> dict[str, Any]:
    """Latency, throughput, cold start, memory and bytes of each contestant, and the ratios.

    Writes bench.json, .png and .svg into `settings.out` if that is given. Raises the errors of
    what it reads: BundleError, ModelError, DataError.
    """
    bundles = list(dict.fromkeys(settings.bundles))
    everyone = {str(path): of_bundle(path) for path in bundles}
    everyone |= {name: of_checkpoint(name, settings.max_length) for name in settings.against}
    inputs = read_inputs(settings.data, settings.field, settings.functions, settings.seed)
    if settings.out is not None:
        _can_write(settings.out)
    ways = {name: one.predict for name, one in everyone.items()}
    with reporter.step("latency", settings.passes * len(inputs.texts)) as bar:
        times = interleaved(ways, inputs.texts, settings.passes, settings.seed, bar)
    load = _under_load(ways, inputs.texts, settings, reporter)
    starts = _starts(settings, bundles, inputs.texts, reporter)
    result: dict[str, Any] = {
        "machine": machine(),
        "functions": inputs.source,
        "count": len(inputs.texts),
        "median_characters": median(map(len, inputs.texts)),
        "passes": settings.passes,
        "starts": settings.starts,
        "contestants": {
            name: {
                **_bytes(one, bundle=name not in settings.against),
                **times[name].summary(),
                "by_length": by_length(times[name], inputs.texts),
                "by_threads": load[name],
                "first_answer": starts[name],
            }
            for name, one in everyone.items()
        },
        "compared": [
            {"bundle": str(path), "peer": name, **ratio(times[name], times[str(path)])}
            for path in bundles
            for name in settings.against
        ],
    }
    if settings.out is not None:
        write_json(settings.out / f"{NAME}.json", result)
        _draw(result["contestants"], settings)
    return result


def _can_write(out: Path) -> None:
    """Before minutes are spent: the folder is there, and so is what draws."""
    from codewren.search.figures import new_figure

    new_figure(width=1)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
        raise OptionError(f"{out}: cannot write there ({reason}); choose another --out") from error


def _bytes(one: Contestant, *, bundle: bool) -> dict[str, Any]:
    install = installed(RUNTIME if bundle else TORCH, runtime=bundle)
    return {"call": one.does, "model_bytes": one.model_bytes, "install": install}


def _under_load(
    ways: Mapping[str, Predict], texts: Sequence[str], settings: BenchSettings, reporter: Reporter
) -> dict[str, list[dict[str, Any]]]:
    """Each on 1, 2, … threads of the caller's, one function a thread at a time."""
    counts = settings.threads or tuple(sorted({1, os.cpu_count() or 1}))
    with reporter.step("threads", settings.passes * len(counts) * len(ways)) as bar:
        return threaded(ways, texts, counts, settings.passes, bar)


def _starts(
    settings: BenchSettings, bundles: Sequence[Path], texts: Sequence[str], reporter: Reporter
) -> dict[str, dict[str, Any]]:
    """Fresh processes that answer for the function of median length."""
    programs = {str(path): fresh.of_bundle(path) for path in bundles}
    programs |= {name: fresh.of_checkpoint(name, settings.max_length) for name in settings.against}
    text = sorted(texts, key=len)[len(texts) // 2]
    with reporter.step("fresh processes", (settings.starts + 1) * len(programs)) as bar:
        reports = fresh.take_turns(programs, text, settings.starts, bar)
    return {name: fresh.summary(found) for name, found in reports.items()}


def _draw(rows: Mapping[str, Any], settings: BenchSettings) -> None:
    """Median to 95th percentile of each, and the bytes that its install takes."""
    from codewren.search.figures import BLUE, GREY, new_figure, save_figure, tidy

    figure = new_figure(width=10, height=0.5 * len(rows) + 1.6)
    left, right = figure.subplots(1, 2, sharey=True)
    names = list(reversed(list(rows)))
    for at, name in enumerate(names):
        row = rows[name]
        colour = GREY if name in settings.against else BLUE
        p50, p95 = row["wall_ms"]["p50"], row["wall_ms"]["p95"]
        left.plot([p50, p95], [at, at], color=colour, linewidth=2)
        left.scatter([p50], [at], color=colour, s=45, zorder=3)
        total = row["model_bytes"] + row["install"]["with_dependencies_bytes"]
        right.barh(at, total / 1e6, color=colour, height=0.5)
    left.set_yticks(range(len(rows)), [Path(name).name for name in names])
    left.set(xscale="log", xlabel="wall ms of one function, median (dot) to 95th percentile")
    right.set(xlabel="MB on disk: model and all that it needs installed")
    tidy(left)
    tidy(right)
    assert settings.out is not None
    save_figure(figure, settings.out / NAME)
