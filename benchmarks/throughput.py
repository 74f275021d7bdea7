"""Many functions: one by one, in batches of equal token lengths, and on several threads.

    python benchmarks/throughput.py run/model.wren

The ways take turns on the same texts, of the lengths that a code base has. A batch holds only
rows of one length, since the graph takes no padding; what is looked ahead for them is 512
texts. CPU time for each function is the figure to compare; wall time shows what threads gain
where cores are idle.

Writes benchmarks/results/throughput.json.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime as ort

from bundles import library, random_bundle
from codewren.bench.machine import machine
from codewren_runtime import Model, load, read_bundle
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
LOOK_AHEAD, LARGEST_BATCH = 512, 16
TEXTS = 1_024


def texts(seed: int) -> list[str]:
    """Pieces of code with a median of 700 characters, spread as functions are."""
    rng, source = random.Random(seed), library()
    lengths = [min(20_000, round(rng.lognormvariate(6.55, 0.8))) for _ in range(TEXTS)]
    begins = [rng.randrange(len(source) - length) for length in lengths]
    return [source[b : b + n] for b, n in zip(begins, lengths, strict=True)]


def equal_lengths(path: Path, model: Model) -> Callable[[Sequence[str]], object]:
    """Batches of rows of one length, in onnxruntime itself."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.enable_mem_pattern = 1, False
    session = ort.InferenceSession(
        read_bundle(path).model, options, providers=["CPUExecutionProvider"]
    )

    def run(items: Sequence[str]) -> None:
        for begin in range(0, len(items), LOOK_AHEAD):
            rows = defaultdict(list)
            for text in items[begin : begin + LOOK_AHEAD]:
                ids = model._tokenizer.encode(text)
                rows[len(ids)].append(ids)
            for same in rows.values():
                for first in range(0, len(same), LARGEST_BATCH):
                    batch = np.array(same[first : first + LARGEST_BATCH], dtype=np.int64)
                    session.run(None, {"input_ids": batch})

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path, nargs="?", help="default: random weights")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS / "throughput.json")
    given = parser.parse_args()
    counts = sorted({1, 2, os.cpu_count() or 1})
    with tempfile.TemporaryDirectory() as name:
        path = given.bundle or random_bundle(Path(name) / "random.wren")
        models = {count: load(path, threads=count) for count in counts}
        ways: dict[str, Callable[[Sequence[str]], object]] = {
            f"predict_many, {count} threads": lambda items, model=model: list(  # type: ignore[misc]
                model.predict_many(items)
            )
            for count, model in models.items()
        }
        ways["batches of equal lengths"] = equal_lengths(path, models[1])
        size = path.stat().st_size
    items, figures = texts(0), {way: ([], []) for way in ways}  # type: ignore[var-annotated]
    for repetition in range(given.repetitions + 1):
        for way, run in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run(items)
            if repetition:
                figures[way][0].append(1e3 * (time.perf_counter() - wall) / TEXTS)
                figures[way][1].append(1e3 * (time.process_time() - cpu) / TEXTS)
    result = {
        way: {"wall_ms": round(median(wall), 3), "cpu_ms": round(median(cpu), 3)}
        for way, (wall, cpu) in figures.items()
    }
    write_json(given.out, {"machine": machine(), "bundle_bytes": size, "texts": TEXTS,
                           "repetitions": given.repetitions, "each_function": result})  # fmt: skip
    for way, found in result.items():
        print(f"{way:<28} wall {found['wall_ms']:.2f} ms  CPU {found['cpu_ms']:.2f} ms a function")


if __name__ == "__main__":
    main()
