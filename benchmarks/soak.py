"""Over many predictions of mixed lengths memory must stay flat, and answers must not drift.

    python benchmarks/soak.py --predictions 200000 run/model.wren

Without a bundle, one of random weights is made. Texts are pieces of Python's standard library,
of all lengths up to twice the window. Memory is taken a hundred times; growth is the most that
any later one has over the one after a twentieth of the predictions. As often, the logits of a few
fixed texts are compared with those at the start, bit for bit.

Writes benchmarks/results/soak.json; exit status 1 if memory grew by more than 5 % or an answer
changed. Linux.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from bundles import library, random_bundle, resident, snippets
from codewren.bench.machine import machine
from codewren_runtime import Model, load
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
SAMPLES, WARM_UP = 100, 5
FIXED = 20
MOST_GROWTH = 0.05


def soak(path: Path, predictions: int, threads: int) -> dict[str, Any]:
    """Resident memory in MB after each hundredth of the predictions."""
    model, text = load(path, threads=threads), library()
    texts = snippets(0, text, 2 * 4 * model.manifest.architecture.max_length)
    items = texts if model.task.kind == "single" else zip(texts, texts, strict=True)
    answers = model.predict_many(items)
    fixed = list(islice(snippets(1, text, 2_000), FIXED + 1))
    begin, memory, drifted = time.process_time(), [], 0
    first = _logits(model, fixed)
    for _ in range(SAMPLES):
        for _ in islice(answers, max(1, predictions // SAMPLES)):
            pass
        memory.append(round(resident()["now"], 2))
        drifted += _logits(model, fixed) != first
        print(f"\r{len(memory)} %  {memory[-1]:.1f} MB", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    start = memory[WARM_UP - 1]
    return {
        "predictions": SAMPLES * max(1, predictions // SAMPLES),
        "threads": threads,
        "cpu_seconds": round(time.process_time() - begin, 1),
        "growth": round(max(memory[WARM_UP:]) / start - 1, 4),
        "answers_compared": SAMPLES * FIXED,
        "times_that_answers_changed": drifted,
        "resident_mb": memory,
    }


def _logits(model: Model, texts: list[str]) -> bytes:
    """The raw scores of each text, or of each with the next."""
    if model.task.kind == "single":
        return b"".join(model.logits(text).tobytes() for text in texts[:FIXED])
    return b"".join(model.logits_pair(*pair).tobytes() for pair in pairwise(texts))


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
    print(f"answers changed {result['times_that_answers_changed']} times of {SAMPLES}")
    return 1 if result["growth"] > MOST_GROWTH or result["times_that_answers_changed"] else 0


if __name__ == "__main__":
    sys.exit(main())
