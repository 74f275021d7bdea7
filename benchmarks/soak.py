"""Resident memory over many predictions of mixed lengths: it must stay flat.

    python benchmarks/soak.py --predictions 200000 run/model.wren

Without a bundle, one of random weights is made. Texts are pieces of Python's standard library,
of all lengths up to twice the window. Memory is taken a hundred times; growth is the most that
any later one has over the one after a twentieth of the predictions.

Writes benchmarks/results/soak.json; exit status 1 if memory grew by more than 5 %. Linux.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from bundles import library, random_bundle, resident, snippets
from codewren.bench.machine import machine
from codewren_runtime import load
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
SAMPLES, WARM_UP = 100, 5
MOST_GROWTH = 0.05


def soak(path: Path, predictions: int, threads: int) -> dict[str, Any]:
    """Resident memory in MB after each hundredth of the predictions."""
    model, text = load(path, threads=threads), library()
    texts = snippets(0, text, 2 * 4 * model.manifest.architecture.max_length)
    items = texts if model.task.kind == "single" else zip(texts, texts, strict=True)
    answers = model.predict_many(items)
    begin, memory = time.process_time(), []
    for _ in range(SAMPLES):
        for _ in islice(answers, max(1, predictions // SAMPLES)):
            pass
        memory.append(round(resident()["now"], 2))
        print(f"\r{len(memory)} %  {memory[-1]:.1f} MB", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    start = memory[WARM_UP - 1]
    return {
        "predictions": SAMPLES * max(1, predictions // SAMPLES),
        "threads": threads,
        "cpu_seconds": round(time.process_time() - begin, 1),
        "growth": round(max(memory[WARM_UP:]) / start - 1, 4),
        "resident_mb": memory,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path, nargs="?", help="default: random weights")
    parser.add_argument("--predictions", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "soak.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = given.bundle or random_bundle(Path(name) / "random.wren")
        size = path.stat().st_size
        result = soak(path, given.predictions, given.threads)
    write_json(given.out, {"machine": machine(), "bundle_bytes": size, **result})
    memory = result["resident_mb"]
    print(
        f"{result['predictions']:,} predictions: {memory[WARM_UP - 1]:.1f} MB after "
        f"{WARM_UP} %, {memory[-1]:.1f} MB at the end, growth {100 * result['growth']:.1f} %"
    )
    return 1 if result["growth"] > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main())
