"""From a fresh process to its first prediction: wall time, CPU time, resident memory.

    python benchmarks/coldstart.py run/model.wren

Without a bundle, one of random weights is made. Four kinds of process take turns, many times:
Python alone; with the three libraries that the runtime needs imported, which no runtime can go
below; that loads the bundle; that predicts once. Each measures itself at its end, wall time
from the moment its parent started it. Modules are byte-compiled, as pip installs them. CPU time
is the figure to compare: wall time grows with whatever else the machine does.

Writes benchmarks/results/coldstart.json. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

from codewren.bench.machine import machine
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
CODE = "int add(int first, int second) {\n    return first + second;\n}\n"

REPORT = """
import json, time
cpu, wall = time.process_time(), time.monotonic() - float(os.environ["STARTED"])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
memory = {key: int(status[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM")}
print(json.dumps({"wall_ms": 1e3 * wall, "cpu_ms": 1e3 * cpu, "resident_mb": memory["VmRSS"],
                  "peak_mb": memory["VmHWM"]}))
"""
KINDS = {
    "python": "",
    "libraries": "import numpy, onnxruntime, tokenizers\n",
    "load": "from codewren_runtime import load\nmodel = load(sys.argv[1])\n",
    "first prediction": (
        "from codewren_runtime import load\n"
        "model = load(sys.argv[1])\n"
        "predict = model.predict if model.task.kind == 'single' else model.embed\n"
        f"predict({CODE!r} * int(sys.argv[2]))\n"
    ),
}


def run(kind: str, bundle: Path, copies: int, environment: dict[str, str]) -> dict[str, float]:
    """One fresh process's report."""
    script = f"import os, sys\n{KINDS[kind]}{REPORT}"
    done = subprocess.run(
        [sys.executable, "-c", script, str(bundle), str(copies)],
        env=environment | {"STARTED": repr(time.monotonic())},
        capture_output=True,
        text=True,
        check=True,
    )
    report: dict[str, float] = json.loads(done.stdout)
    return report


def summary(reports: list[dict[str, float]]) -> dict[str, Any]:
    """Of each figure the median, and the middle half."""
    figures = {}
    for name in reports[0]:
        low, middle, high = quantiles([report[name] for report in reports], n=4)
        figures[name] = {"median": round(middle, 1), "half": [round(low, 1), round(high, 1)]}
    return figures


def environment_for(folder: Path) -> dict[str, str]:
    """One thread everywhere, and byte code kept in `folder`."""
    kept = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": str(folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path, nargs="?", help="default: random weights")
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--copies", type=int, default=8, help="of a small function, in the text")
    parser.add_argument("--out", type=Path, default=RESULTS / "coldstart.json")
    given = parser.parse_args()
    from bundles import random_bundle

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bundle = given.bundle or random_bundle(folder / "random.wren")
        environment = environment_for(folder / "bytecode")
        reports: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for repetition in range(given.repetitions + 1):
            for kind in KINDS:
                report = run(kind, bundle, given.copies, environment)
                if repetition:  # the first of each compiles modules
                    reports[kind].append(report)
        result = {
            "machine": machine(),
            "bundle_bytes": bundle.stat().st_size,
            "random_weights": given.bundle is None,
            "text_characters": given.copies * len(CODE),
            "repetitions": given.repetitions,
            "processes": {kind: summary(found) for kind, found in reports.items()},
        }
    write_json(given.out, result)
    for kind, figures in result["processes"].items():
        values = "  ".join(f"{key} {value['median']:.1f}" for key, value in figures.items())
        print(f"{kind:<17} {values}")


if __name__ == "__main__":
    main()
