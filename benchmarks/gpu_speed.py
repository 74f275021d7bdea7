"""Training on a GPU: our loop beside the published recipe's, plain and compiled, and a teacher's.

    python benchmarks/gpu_speed.py [--data FILE.jsonl.gz] [--seconds N] [--quick]

The student of distill_speed.py learns in batches of 16 from soft labels that are drawn, in turn
with the published recipe (fp32, TF32 off; published_recipe.py), and in batches of 256, which fill
the device better; then a teacher of CodeBERT's shape and dropout, of random weights, from plain
labels in batches of 32 and 128. Each plain, as `distill` and `finetune` ship; with every layer
compiled; and with the whole model compiled, both through accelerate's environment variables.

Times are of rounds of some steps between two synchronisations, after a warm-up in which
compilation falls; nothing is saved meanwhile. Utilisation is the arithmetic that the real tokens
need (forward and twice that backward) by the second, over the best matrix product of this device in
the same precision. `device_busy` is the share of time in which any kernel ran, as torch's profiler
saw in a few more steps: what is far below 1 waits for the CPU. Memory is torch's, at most.

Each way of compiling is a process of its own. What fails, hangs or finds no time left within
--seconds is reported as such, and the rest is measured. --quick trains small models and runs
anywhere; without a GPU it proves that all this runs, and says nothing of speed.

Writes benchmarks/results/gpu_speed.json after every arm, and prints a table.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from codewren.bench.machine import machine
from codewren_runtime.files import read_json, write_json
from gpu_plan import DEVICE, PLAN, QUICK, WAYS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
NO_GPU = "There is no GPU here: nothing of this says how fast training is."


class Run:
    """All processes of the plan, and what they left in `folder`."""

    def __init__(self, given: argparse.Namespace, folder: Path) -> None:
        self.given, self.folder = given, folder
        self.begin = time.monotonic()
        self.found: dict[str, Any] = {}
        self.backend = "inductor" if torch.cuda.is_available() else "aot_eager"

    def all(self) -> dict[str, Any]:
        """Every arm of the plan, measured or failed; written after each."""
        plan = QUICK if self.given.quick else PLAN
        for way in WAYS:
            waiting = [arm.name for arm in plan if arm.way == way]
            waiting = [DEVICE, *waiting] if way == "plain" else waiting
            while waiting:
                why = self._process(way, waiting)
                waiting = [name for name in waiting if name not in self.found]
                if waiting:  # the process ended within the first of them, and the next goes on
                    self._note(waiting.pop(0), {"failed": why})
        return self.result()

    def _left(self) -> float:
        return float(self.given.seconds - (time.monotonic() - self.begin))

    def _process(self, way: str, names: Sequence[str]) -> str:
        """Measure what can be in one process; why it was not more."""
        if self._left() < self.given.least:
            return "no time was left"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ACCELERATE_")}
        environment |= {"HF_HUB_OFFLINE": "1"} | WAYS[way]
        if way != "plain":
            environment["ACCELERATE_DYNAMO_BACKEND"] = self.backend
        data = [] if self.given.data is None else ["--data", self.given.data]
        command = [sys.executable, HERE / "gpu_arms.py", self.folder, *data,
                   *(["--quick"] if self.given.quick else []), "--arms", *names]  # fmt: skip
        # A group of its own: a compiler has processes of its own, which end with it.
        child = subprocess.Popen(list(map(str, command)), env=environment, start_new_session=True)
        try:
            return self._watched(child, names)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()

    def _watched(self, child: subprocess.Popen[bytes], names: Sequence[str]) -> str:
        last = time.monotonic()
        while True:
            ended = child.poll()
            for name in names:
                if name not in self.found and (self.folder / f"{name}.json").is_file():
                    self._note(name, read_json(self.folder / f"{name}.json"))
                    last = time.monotonic()
            if ended is not None:
                return f"its process ended with {ended}"
            if self._left() <= 0:
                return "no time was left"
            if time.monotonic() - last > self.given.limit:
                return f"took longer than {self.given.limit:g} s"
            time.sleep(0.05)

    def _note(self, name: str, found: dict[str, Any]) -> None:
        self.found[name] = found
        write_json(self.given.out / "gpu_speed.json", self.result())

    def result(self) -> dict[str, Any]:
        """What is known so far, with utilisation."""
        device = self.found.get(DEVICE, {})
        peaks = device.get("peak_gflops_per_second", {})
        arms = {name: row for name, row in self.found.items() if name != DEVICE}
        for row in arms.values():
            for loop in (row[name] for name in ("codewren", "published") if name in row):
                if loop["precision"] in peaks:
                    share = loop["gflops_per_second"]["median"] / peaks[loop["precision"]]
                    loop["utilisation"] = round(share, 4)
        return {
            "machine": machine(), "device": device, "backend": self.backend,
            "note": None if torch.cuda.is_available() else NO_GPU,
            "data": "Devign" if self.given.data else "Python standard library",
            "reduced": self.given.quick, "arms": arms,
            "seconds": round(time.monotonic() - self.begin, 1),
        }  # fmt: skip


def show(result: dict[str, Any]) -> None:
    print(f"{result['device']}" + (f"\n{result['note']}" if result["note"] else ""))
    for name, row in result["arms"].items():
        if "failed" in row:
            print(f"{name:<20} failed: {row['failed']}")
        for loop in ("published", "codewren"):
            if loop in row:
                of = row[loop]
                rate = {key: of[f"{key}_per_second"]["median"] for key in ("steps", "functions")}
                print(
                    f"{name:<20} {loop:<9} {rate['steps']:>8.2f} steps/s "
                    f"{rate['functions']:>8.0f} functions/s  utilisation "
                    f"{of.get('utilisation')}  busy {of['device_busy']}  "
                    f"{of['peak_bytes'] / 1e6:,.0f} MB  warm-up {row['seconds_to_warm_up']} s"
                )
        if "ratio" in row:
            print(f"{name:<20} ratio     {row['ratio']}")
    print(f"{result['seconds']} s in all")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="Devign's rows, gzip'd JSON lines")
    parser.add_argument("--seconds", type=float, default=225, help="for all of it")
    parser.add_argument("--limit", type=float, default=100, help="seconds for an arm")
    parser.add_argument("--least", type=float, default=15, help="seconds worth beginning with")
    parser.add_argument("--quick", action="store_true", help="small models, two rounds of a step")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if not given.quick and not torch.cuda.is_available():
        parser.error("there is no GPU here; --quick runs anywhere")
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        show(Run(given, Path(folder)).all())


if __name__ == "__main__":
    main()
