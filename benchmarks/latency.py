"""How fast is one prediction, beside what else answers the same question?

    python benchmarks/latency.py [--data FILE] [--published FOLDER] [--models FOLDER]

One process, one thread, batch 1, text in, answer out. On each function all contestants take
turns; a few calls of each come before, apart. CodeBERT's shape has random weights, so has a
student of ours where `--models` holds no bundle: weights change no time. CPU time of the
process is what is compared; wall time stands beside it.

Functions: JSON lines with `func` (Devign's test functions where they lie beside the checkout,
else functions of Python's standard library).

Writes benchmarks/results/latency.json, .png and .svg.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import peers
from codewren.bench.contestants import Contestant, of_bundle
from codewren.bench.inputs import Inputs, read_inputs
from codewren.bench.machine import machine
from codewren.bench.timing import Times, by_length, interleaved, ratio
from codewren.progress import Silent
from codewren.search.figures import BLUE, GREY, new_figure, save_figure, tidy
from codewren_runtime import read_bundle
from codewren_runtime.files import write_json
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Architecture

SHARED = Path(__file__).resolve().parents[2] / "shared"
DEVIGN = SHARED / "data" / "devign" / "test_public.jsonl.gz"
PUBLISHED = SHARED / "published" / "codebert-vulnerability-3mb"
MODELS = Path(__file__).resolve().parents[1] / "models"
RESULTS = Path(__file__).parent / "results"
# At least so many times less time than each, by the median.
WANTED = {
    "CodeBERT's shape, torch fp32, padded to 400": 100,
    "published 3 MB student, torch, padded to 400": 4,
}
QUICK_SHAPE = Architecture(1_000, 64, 1, 1, 64, 400)
VOCABULARY_TEXTS = 2_000


def contestants(
    texts: Sequence[str], published: Path | None, models: Path, *, quick: bool
) -> tuple[list[Contestant], list[Contestant]]:
    """Our students, and their peers."""
    classifier = peers.published_classifier(published, texts)
    tokenizer = classifier.text.tokenizer
    assert isinstance(tokenizer, CodeTokenizer)
    bundles = [path for path in sorted(models.glob("*.wren")) if read_bundle(path).head is None]
    ours = [of_bundle(path) for path in bundles]
    if not ours:
        shape = QUICK_SHAPE if quick else peers.student_shape()
        ours = [peers.searched(shape, texts)]
    others = [
        *peers.codebert(tokenizer, QUICK_SHAPE if quick else peers.CODEBERT),
        *peers.published(classifier, texts),
        peers.static(texts),
        peers.linear(texts, seed=0),
    ]
    return ours, others


def row(contestant: Contestant, times: Times, texts: Sequence[str]) -> dict[str, Any]:
    return {
        "model_bytes": contestant.model_bytes,
        **times.summary(),
        "by_length": by_length(times, texts),
    }


def compared(
    ours: Sequence[Contestant], others: Sequence[Contestant], times: Mapping[str, Times]
) -> list[dict[str, Any]]:
    """How many times less CPU time the median call takes, each of ours against each peer."""
    return [
        {
            "student": our.name,
            "peer": other.name,
            **(found := ratio(times[other.name], times[our.name])),
            "wanted": (wanted := WANTED.get(other.name)),
            "met": None if wanted is None else found["ratio"] >= wanted,
        }
        for our in ours
        for other in others
    ]


def draw(rows: Mapping[str, Any], ours: set[str], path: Path) -> None:
    """Median and 95th percentile of each, on one logarithmic axis."""
    figure = new_figure(width=9, height=0.45 * len(rows) + 1.2)
    axes = figure.subplots()
    names = sorted(rows, key=lambda name: -rows[name]["cpu_ms"]["p50"])
    for at, name in enumerate(names):
        p50, p95 = rows[name]["cpu_ms"]["p50"], rows[name]["cpu_ms"]["p95"]
        colour = BLUE if name in ours else GREY
        axes.plot([p50, p95], [at, at], color=colour, linewidth=2)
        axes.scatter([p50], [at], color=colour, s=45, zorder=3)
        axes.annotate(f"{p50:.3g}", (p50, at), xytext=(0, 7), textcoords="offset points",
                      ha="center", fontsize=8)  # fmt: skip
    axes.set_yticks(np.arange(len(names)), names)
    axes.set(xscale="log", xlabel="CPU ms of one function, median (dot) to 95th percentile")
    tidy(axes)
    save_figure(figure, path)


def measure(
    inputs: Inputs, more: Sequence[str], published: Path | None, models: Path, passes: int,
    *, quick: bool,
) -> tuple[dict[str, Any], set[str]]:  # fmt: skip
    ours, others = contestants(more, published, models, quick=quick)
    everyone, texts = [*ours, *others], inputs.texts
    with Silent().step("latency", 0) as bar:
        times = interleaved(
            {one.name: one.predict for one in everyone}, texts, passes, seed=0, bar=bar
        )
    result = {
        "machine": machine(),
        "functions": inputs.source,
        "count": len(texts),
        "median_characters": median(map(len, texts)),
        "passes": passes,
        "reduced": quick,
        "published_weights": published is not None,
        "contestants": {one.name: row(one, times[one.name], texts) for one in everyone},
        "students": [one.name for one in ours],
        "compared": compared(ours, others, times),
    }
    return result, {one.name for one in ours}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEVIGN if DEVIGN.exists() else None)
    parser.add_argument("--published", type=Path, default=PUBLISHED if PUBLISHED.exists() else None)
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of bundles of ours")
    parser.add_argument("--functions", type=int, default=40)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="two functions, tiny peers: runs?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plots")
    given = parser.parse_args()
    count, passes = (2, 1) if given.quick else (given.functions, given.passes)
    more = read_inputs(given.data, "func", 100 if given.quick else VOCABULARY_TEXTS, seed=1)
    inputs = read_inputs(given.data, "func", count, seed=0)
    result, ours = measure(
        inputs, more.texts, given.published, given.models, passes, quick=given.quick
    )
    write_json(given.out / "latency.json", result)
    draw(result["contestants"], ours, given.out / "latency")
    for name, found in result["contestants"].items():
        cpu, wall = found["cpu_ms"], found["wall_ms"]
        print(f"{name:<58} CPU {cpu['p50']:8.3f} / {cpu['p95']:8.3f} ms  wall {wall['p50']:8.3f}")
    for line in result["compared"]:
        if line["wanted"]:
            low, high = line["interval"]
            print(f"{line['student']}: {line['ratio']} ({low} to {high}) times faster than "
                  f"{line['peer']}, wanted {line['wanted']}")  # fmt: skip


if __name__ == "__main__":
    main()
