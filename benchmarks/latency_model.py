"""Does the latency model hold for architectures that it has not seen, and does search keep it?

    python benchmarks/latency_model.py [--architectures 48] [--unseen 32] [--functions FILE]

1. Calibrates on random architectures, then measures others, random ones and published ones,
   and compares what was predicted with what was measured.
2. Searches the wide space for 3 MB at 8 bits and 5 ms, has the real exporter build the answer
   (random weights: they change neither bytes nor time), and measures it on functions of the
   median length of `--functions` (JSON lines with `func`, gzip accepted; default: those of this
   Python's library), on one core.

Writes benchmarks/results/latency_model.json, .png and .svg.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from codewren.bench.inputs import read_inputs
from codewren.budget import Budget
from codewren.latency.cpu import cpu_name
from codewren.latency.measure import random_architectures
from codewren.latency.model import LatencyModel, Measurement
from codewren.latency.store import runtime_version
from codewren.latency.text import CHARACTERS
from codewren.progress import Silent
from codewren.search import load_space, search
from codewren.search.figures import BLUE, GREY, ORANGE, new_figure, save_figure, tidy
from codewren.verbs.calibrate import fitted, measured_on_this_cpu
from codewren_distill.student import build_student
from codewren_distill.vocabulary import train_tokenizer
from codewren_export import Exportable, export_bundle
from codewren_runtime.files import write_json
from codewren_runtime.model import load
from codewren_runtime.text import normalise
from codewren_runtime.types import Architecture, Example, Task

RESULTS = Path(__file__).parent / "results"
# The published student, and the shapes that others were compared with.
PUBLISHED = {
    "published student": Architecture(1000, 96, 12, 8, 64),
    "published, 1 head": Architecture(1000, 96, 12, 1, 64),
    "optimum of the paper's formula": Architecture(1000, 96, 12, 8, 32),
    "hidden 192, 3 layers": Architecture(1000, 192, 3, 2, 128),
    "hidden 256, 2 layers": Architecture(1000, 256, 2, 4, 64),
    "hidden 256, 4 layers": Architecture(4000, 256, 4, 4, 256),
}
LATENCY_MS, SIZE_BYTES, RUNS, FUNCTIONS = 5.0, 3_000_000, 200, 6_000


def unseen(model: LatencyModel, measured: list[Measurement]) -> dict[str, Any]:
    """Relative errors of the prediction for what was measured."""
    times = np.array([m.milliseconds for m in measured])
    errors = predictions(model, measured) / times - 1
    return {
        "measurements": len(measured),
        "median_error": round(float(np.median(np.abs(errors))), 4),
        "p90_error": round(float(np.quantile(np.abs(errors), 0.9)), 4),
        "bias": round(float(np.median(errors)), 4),
    }


def predictions(model: LatencyModel, measured: list[Measurement]) -> np.ndarray[Any, Any]:
    return np.array(
        [float(model.text_ms(m.architecture, m.kind, m.characters, m.tokens)) for m in measured]
    )


def searched(model: LatencyModel, texts: Sequence[str]) -> dict[str, Any]:
    """The answer of a search with both limits, built, and measured on texts of median length."""
    characters = round(median(len(normalise(text, "structure")) for text in texts))
    budget = Budget(SIZE_BYTES, 8, LATENCY_MS, model.p90_error)
    result = search(load_space("wide"), budget, "single", 2, timing=model.timing(characters))
    task = Task("latency", "single", ("no", "yes"))
    tokenizer = train_tokenizer(texts, result.architecture.vocab_size, task.normalisation)
    student = build_student(result.architecture, task, tokenizer, seed=0)
    near = sorted(texts, key=lambda text: abs(len(normalise(text, "structure")) - characters))[:20]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.wren"
        export_bundle(
            Exportable(
                task, result.architecture, "sequence", student.core, None, tokenizer,
                [Example(text) for text in near],
            ),
            path,
            size_budget=SIZE_BYTES,
        )  # fmt: skip
        size, bundle = path.stat().st_size, load(path)
    cpu, wall = [], []
    for run in range(RUNS):
        begin, start = time.thread_time(), time.perf_counter()
        bundle.predict(near[run % len(near)])
        cpu.append(1e3 * (time.thread_time() - begin))
        wall.append(1e3 * (time.perf_counter() - start))
    return {
        "architecture": result.architecture.to_json(),
        "characters": characters,
        "predicted_bytes": result.best.size_bytes,
        "bytes": size,
        "predicted_ms": result.best.latency_ms,
        "margin": budget.latency_margin,
        "cpu_ms_median": round(median(cpu), 3),
        "wall_ms_median": round(median(wall), 3),
        "wall_ms_p95": round(float(np.quantile(wall, 0.95)), 3),
    }


def draw(model: LatencyModel, groups: dict[str, list[Measurement]], path: Path) -> None:
    figure = new_figure(width=6.5)
    axes = figure.subplots()
    for (name, measured), colour in zip(groups.items(), (BLUE, ORANGE), strict=True):
        times = [m.milliseconds for m in measured]
        axes.scatter(times, predictions(model, measured), s=16, color=colour, label=name, alpha=0.7)
    ends = np.array([0.05, 60])
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.fill_between(ends, 0.9 * ends, 1.1 * ends, color=GREY, alpha=0.2, label="within 10 %")
    axes.set(xscale="log", yscale="log", xlabel="measured ms of a text", ylabel="predicted ms")
    axes.set_title(f"Architectures that the fit has not seen\n{cpu_name()}", fontsize=10)
    axes.legend(frameon=False)
    tidy(axes)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--architectures", type=int, default=48)
    parser.add_argument("--unseen", type=int, default=32)
    parser.add_argument("--functions", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few architectures: runs?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plot")
    given = parser.parse_args()
    known, others = (12, 2) if given.quick else (given.architectures, given.unseen)
    shapes = random_architectures(known + others, given.seed)
    texts = read_inputs(given.functions, "func", FUNCTIONS, given.seed).texts
    learnt = measured_on_this_cpu(Silent(), shapes[:known], given.seed)
    model, _ = fitted(learnt)
    groups = {
        "random": measured_on_this_cpu(Silent(), shapes[known:], given.seed),
        "published": measured_on_this_cpu(Silent(), list(PUBLISHED.values()), given.seed),
    }
    found = {
        "machine": cpu_name(),
        "python": platform.python_version(),
        "onnxruntime": runtime_version(),
        "seed": given.seed,
        "reduced": given.quick,
        "calibrated_on": {
            "architectures": model.architectures,
            "cross_validated_median_error": model.median_error,
        },
        "unseen": {name: unseen(model, measured) for name, measured in groups.items()},
        "all_unseen": unseen(model, [m for measured in groups.values() for m in measured]),
        "published_at_950_characters_ms": {
            name: round(float(model.timing(CHARACTERS)(shape, "single")), 3)  # type: ignore[arg-type]
            for name, shape in PUBLISHED.items()
        },
        "search_3MB_5ms": searched(model, texts),
    }
    write_json(given.out / "latency_model.json", found)
    draw(model, groups, given.out / "latency_model")
    for name, errors in [*found["unseen"].items(), ("all", found["all_unseen"])]:
        print(f"{name}: median error {100 * errors['median_error']:.1f} %, "
              f"90th percentile {100 * errors['p90_error']:.1f} %")  # fmt: skip
    answer = found["search_3MB_5ms"]
    print(
        f"3 MB and 5 ms: {answer['bytes']:,} bytes, predicted {answer['predicted_ms']:.2f} ms, "
        f"measured {answer['cpu_ms_median']:.2f} ms of CPU, {answer['wall_ms_median']:.2f} wall"
    )


if __name__ == "__main__":
    main()
