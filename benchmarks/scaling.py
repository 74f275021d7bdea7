"""Does cost grow as it must, and no faster?

    python benchmarks/scaling.py

CPU time of the runtime by the number of functions, by the length of a text below the window and
far beyond it, and by the model's layers and hidden size; throughput by threads. Random weights,
pieces of Python's standard library. Each series has the exponent of its growth (least squares in
logarithms), and the one that the work allows: functions and layers 1; length 2 below the window,
as attention compares all tokens, 0 beyond it; hidden size 2. Points of a series take turns,
and the least of several passes counts, since other work on the machine only ever adds.

Writes benchmarks/results/scaling.json, .png and .svg.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bundles import SHAPE, library
from codewren.bench.inputs import read_inputs
from codewren.bench.machine import machine
from codewren.bench.timing import threaded
from codewren.latency.measure import bundle_of
from codewren.progress import Silent
from codewren.search.figures import BLUE, GREY, new_figure, save_figure, tidy
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime import Model
from codewren_runtime.files import write_json
from codewren_runtime.types import Architecture, TaskKind

RESULTS = Path(__file__).parent / "results"
FUNCTIONS = (50, 100, 200, 400)
BELOW, BEYOND = (100, 200, 400, 800), (4_000, 16_000, 64_000, 256_000)  # characters
LAYERS, HIDDEN = (2, 4, 8, 16), (64, 128, 256, 512)
LENGTH = 1_200  # characters of the text that architectures are timed on
SLACK = 0.1  # of an exponent

Call = Callable[[], object]


def in_turn(calls: Mapping[int, Call], passes: int) -> list[float]:
    """Least CPU milliseconds of each call, all of them in turn, after one to warm up."""
    best = dict.fromkeys(calls, float("inf"))
    for turn in range(passes + 1):
        for size, call in calls.items():
            begin = time.process_time()
            call()
            if turn:
                best[size] = min(best[size], 1e3 * (time.process_time() - begin))
    return list(best.values())


def series(calls: Mapping[int, Call], passes: int, allowed: float) -> dict[str, Any]:
    """One line of the plot: sizes, milliseconds, and how fast they grow."""
    spent = in_turn(calls, passes)
    exponent = float(np.polyfit(np.log(list(calls)), np.log(spent), 1)[0])
    return {
        "sizes": list(calls),
        "cpu_ms": [round(ms, 4) for ms in spent],
        "exponent": round(exponent, 3),
        "allowed": allowed,
        "holds": exponent <= allowed + SLACK,
    }


def all_series(source: str, passes: int, *, quick: bool) -> dict[str, dict[str, Any]]:
    tokenizers: dict[int, str] = {}

    def model(shape: Architecture, kind: TaskKind = "single") -> Model:
        if shape.vocab_size not in tokenizers:
            lines = source[:500_000].splitlines(keepends=True)
            tokenizers[shape.vocab_size] = train_tokenizer(lines, shape.vocab_size, "structure")
        return Model(bundle_of(shape, kind, tokenizers[shape.vocab_size]))

    base = Architecture(*SHAPE)
    few = slice(2) if quick else slice(None)
    middle, text = model(base), source[10_000 : 10_000 + LENGTH]
    texts = [source[at : at + 600] for at in range(0, 600 * max(FUNCTIONS), 600)]
    # A pair model's: of a single-text model the last layer computes one token alone.
    layers = {n: model(replace(base, num_layers=n), "pair") for n in LAYERS[few]}
    hidden = {h: model(_wide(base, h)) for h in HIDDEN[few]}

    def judged(count: int) -> list[object]:
        return list(middle.predict_many(texts[:count]))

    return {
        "functions": series({n: partial(judged, n) for n in FUNCTIONS[few]}, passes, 1),
        "characters, below the window": series(
            {n: partial(middle.predict, source[:n]) for n in BELOW[few]}, 5 * passes, 2
        ),
        "characters, beyond the window": series(
            {n: partial(middle.predict, source[:n]) for n in BEYOND[few]}, 5 * passes, 0
        ),
        "layers": series({n: partial(m.embed, text) for n, m in layers.items()}, 5 * passes, 1),
        "hidden size": series(
            {h: partial(m.predict, text) for h, m in hidden.items()}, 5 * passes, 2
        ),
    }


def _wide(base: Architecture, hidden: int) -> Architecture:
    return replace(base, hidden_size=hidden, embedding_size=hidden, intermediate_size=2 * hidden)


def by_threads(passes: int, counts: Sequence[int], *, quick: bool) -> list[dict[str, Any]]:
    """Throughput of real functions on threads of the caller's."""
    texts = read_inputs(None, "func", 20 if quick else 200, seed=0).texts
    tokenizer = train_tokenizer(texts, 1_000, "structure")
    model = Model(bundle_of(Architecture(*SHAPE), "single", tokenizer))
    with Silent().step("", 0) as bar:
        return threaded({"": model.predict}, texts, counts, passes, bar)[""]


def draw(found: Mapping[str, Any], path: Path) -> None:
    figure = new_figure(width=14, height=3.4)
    for axes, (name, line) in zip(figure.subplots(1, len(found)), found.items(), strict=True):
        sizes, spent = np.array(line["sizes"], dtype=float), np.array(line["cpu_ms"])
        axes.loglog(sizes, spent, "o-", color=BLUE)
        axes.loglog(sizes, spent[0] * (sizes / sizes[0]) ** line["allowed"], "--", color=GREY)
        axes.set(xlabel=name, ylabel="CPU ms")
        axes.set_title(f"exponent {line['exponent']:g} (dashed: {line['allowed']})", fontsize=9)
        tidy(axes)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two points of each, once: runs?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plots")
    given = parser.parse_args()
    passes = 1 if given.quick else given.passes
    counts = sorted({1, 2, os.cpu_count() or 1})
    result = {
        "machine": machine(),
        "architecture": Architecture(*SHAPE).to_json(),
        "passes": passes,
        "reduced": given.quick,
        "series": all_series(library(), passes, quick=given.quick),
        "threads": by_threads(passes, counts, quick=given.quick),
    }
    write_json(given.out / "scaling.json", result)
    draw(result["series"], given.out / "scaling")
    for name, line in result["series"].items():
        print(f"{name:<30} exponent {line['exponent']:6.2f}, allowed {line['allowed']}"
              f"{'' if line['holds'] else ': grows FASTER'}  {line['cpu_ms']}")  # fmt: skip
    for row in result["threads"]:
        print(f"{row['threads']} threads: {row['per_second']:g} a second, "
              f"{row['cpu_seconds_per_1000']:g} CPU s per 1,000")  # fmt: skip


if __name__ == "__main__":
    main()
