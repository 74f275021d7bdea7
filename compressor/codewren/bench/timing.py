"""Time competitors side by side: input by input in one process, each call measured alone.

Wall time is what a user waits. CPU time of the process is what the work took: on an idle machine
the two agree for work of one thread, on a busy one CPU time is nearer to what an idle one would
show, so comparisons are made of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren.progress import Bar

__all__ = ["EDGES", "Predict", "Times", "by_length", "interleaved", "ratio", "threaded"]

Predict = Callable[[str], object]
Floats = NDArray[np.float64]

WARM_UP = 3
EDGES = (300, 1_000, 3_000)  # characters of a text: the groups that lengths fall into
RESAMPLES = 2_000


@dataclass(frozen=True, eq=False)
class Times:
    """Milliseconds of every call, (passes, inputs)."""

    wall: Floats
    cpu: Floats

    def summary(self) -> dict[str, Any]:
        """Quantiles of the calls in milliseconds, and what a thousand of them take of a core."""
        return {
            "wall_ms": _quantiles(self.wall),
            "cpu_ms": _quantiles(self.cpu),
            "per_second_per_core": _rounded(1e3 / self.cpu.mean()),
            "cpu_seconds_per_1000": _rounded(self.cpu.mean()),
        }


def interleaved(
    ways: Mapping[str, Predict], texts: Sequence[str], passes: int, seed: int, bar: Bar
) -> dict[str, Times]:
    """Every way on every text, `passes` times over, after a few calls of each to warm up.

    On each text all ways take turns, in an order that is drawn anew, so that what else the
    machine does, and what one way leaves in the caches, meets all of them alike.
    """
    for predict in ways.values():
        for text in texts[:WARM_UP]:
            predict(text)
    rng, shape = Random(seed), (passes, len(texts))
    times = {name: Times(np.empty(shape), np.empty(shape)) for name in ways}
    order = list(ways)
    for turn in range(passes):
        for row, text in enumerate(texts):
            rng.shuffle(order)
            for name in order:
                found = times[name]
                found.wall[turn, row], found.cpu[turn, row] = _call(ways[name], text)
            bar.advance()
    return times


def ratio(slow: Times, fast: Times, seed: int = 0) -> dict[str, Any]:
    """How many times less CPU time the median call of `fast` takes.

    With the interval that holds it in 95 of 100 resamplings of the inputs (bootstrap; Efron and
    Tibshirani, 1993), the same inputs of both.
    """
    rng, count = np.random.default_rng(seed), slow.cpu.shape[1]
    rows = rng.integers(count, size=(RESAMPLES, count))
    resampled = [np.median(slow.cpu[:, drawn]) / np.median(fast.cpu[:, drawn]) for drawn in rows]
    low, high = np.quantile(resampled, (0.025, 0.975))
    return {
        "ratio": _rounded(np.median(slow.cpu) / np.median(fast.cpu)),
        "interval": [_rounded(low), _rounded(high)],
    }


def by_length(times: Times, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Medians of the calls by the length of their input; groups without an input are left out."""
    group = np.searchsorted(EDGES, [len(text) for text in texts], side="right")
    names = (f"below {EDGES[0]:,}", *(f"from {edge:,}" for edge in EDGES))
    return [
        {
            "characters": name,
            "inputs": int((group == at).sum()),
            "cpu_ms": _rounded(np.median(times.cpu[:, group == at])),
            "wall_ms": _rounded(np.median(times.wall[:, group == at])),
        }
        for at, name in enumerate(names)
        if (group == at).any()
    ]


def threaded(
    ways: Mapping[str, Predict], texts: Sequence[str], counts: Sequence[int], passes: int, bar: Bar
) -> dict[str, list[dict[str, Any]]]:
    """Every way on all texts, on each count of the caller's threads, in turn, `passes` times.

    Latency is of single calls under that load; throughput and CPU time are of the whole pass,
    the median pass of each. A row for each count.
    """
    found: dict[str, list[_Load]] = {name: [_Load(count) for count in counts] for name in ways}
    for _ in range(passes):
        for at in range(len(counts)):
            for name, predict in ways.items():
                found[name][at].one_pass(predict, texts)
                bar.advance()
    return {name: [load.row(len(texts)) for load in loads] for name, loads in found.items()}


class _Load:
    """What passes on so many threads took."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.walls: list[float] = []
        self.cpus: list[float] = []
        self.calls: list[float] = []

    def one_pass(self, predict: Predict, texts: Sequence[str]) -> None:
        with ThreadPoolExecutor(self.threads) as pool:
            cpu, wall = time.process_time(), time.perf_counter()
            self.calls += pool.map(lambda text: _call(predict, text)[0], texts)
            self.walls.append(time.perf_counter() - wall)
            self.cpus.append(time.process_time() - cpu)

    def row(self, texts: int) -> dict[str, Any]:
        rate = texts / np.median(self.walls)
        return {
            "threads": self.threads,
            "wall_ms": _quantiles(np.array(self.calls)),
            "per_second": _rounded(rate),
            "per_second_per_core": _rounded(rate / self.threads),
            "cpu_seconds_per_1000": _rounded(1e3 * np.median(self.cpus) / texts),
        }


def _call(predict: Predict, text: str) -> tuple[float, float]:
    """Wall and CPU milliseconds of one call."""
    cpu, wall = time.process_time(), time.perf_counter()
    predict(text)
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def _quantiles(milliseconds: Floats) -> dict[str, float]:
    p50, p95 = np.quantile(milliseconds, (0.5, 0.95))
    return {"p50": _rounded(p50), "p95": _rounded(p95)}


def _rounded(value: float) -> float:
    """Four significant digits: timings have no more."""
    return float(f"{value:.4g}")
