"""Fresh processes: from the start of Python to an answer, and the memory that they hold.

Each process measures itself at its end: wall time from the moment its parent started it, CPU
time, and, on Linux, resident memory. Modules are byte-compiled, as pip installs them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from codewren.progress import Bar
from codewren_runtime.errors import ModelError

__all__ = ["ALONE", "Program", "of_bundle", "of_checkpoint", "summary", "take_turns"]


@dataclass(frozen=True, slots=True)
class Program:
    """Python source, and what it finds in `sys.argv`; the text is in `text`."""

    source: str
    arguments: tuple[str, ...] = ()


ALONE = Program("")

_BEGIN = "import os, sys\ntext = sys.stdin.buffer.read().decode()\n"
_END = """
import json, time
cpu, wall = time.process_time(), time.monotonic() - float(os.environ["STARTED"])
found = {"wall_ms": 1e3 * wall, "cpu_ms": 1e3 * cpu}
if os.path.exists("/proc/self/status"):
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    for name, key in (("resident_mb", "VmRSS"), ("peak_mb", "VmHWM")):
        found[name] = int(status[key].split()[0]) * 1024 / 1e6
print(json.dumps(found))
"""
_LOAD = "from codewren_runtime import load\nmodel = load(sys.argv[1])\n"
_PREDICT = "(model.predict if model.task.kind == 'single' else model.embed)(text)\n"
_CHECKPOINT = """
import torch
torch.set_num_threads(1)
from transformers import AutoModelForSequenceClassification, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
with torch.inference_mode():
    batch = tokenizer(text, truncation=True, max_length=int(sys.argv[2]), return_tensors="pt")
    model(**batch).logits.softmax(-1).tolist()
"""


def of_bundle(path: Path, *, predict: bool = True) -> Program:
    """Loads a bundle, and answers once for the text."""
    return Program(_LOAD + _PREDICT * predict, (str(path),))


def of_checkpoint(name: str, max_length: int) -> Program:
    """Loads a model in torch and transformers, and answers once for the text."""
    return Program(_CHECKPOINT, (name, str(max_length)))


def take_turns(
    programs: Mapping[str, Program], text: str, repetitions: int, bar: Bar
) -> dict[str, list[dict[str, float]]]:
    """Every program in a fresh process, in turn, `repetitions` times and once before, apart.

    Raises ModelError in one line if a process fails.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory(prefix="codewren-bench-") as bytecode:
        for repetition in range(repetitions + 1):
            for name, program in programs.items():
                report = _run(name, program, text, _environment(bytecode))
                if repetition:  # the first of each compiles modules
                    found[name].append(report)
                bar.advance()
    return found


def summary(reports: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Of each figure the median, and the middle half."""
    figures = {}
    for name in reports[0]:
        values = [report[name] for report in reports]
        low, middle, high = quantiles(values, n=4) if len(values) > 1 else values * 3
        figures[name] = {"median": round(middle, 1), "half": [round(low, 1), round(high, 1)]}
    return figures


def _run(
    name: str, program: Program, text: str, environment: Mapping[str, str]
) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _BEGIN + program.source + _END, *program.arguments],
        input=text.encode("utf-8", "replace"),
        env={**environment, "STARTED": repr(time.monotonic())},
        capture_output=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1][:200] if lines else f"exit status {done.returncode}"
        raise ModelError(f"{name}: cannot be started in a process of its own ({why})")
    report: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return report


def _environment(bytecode: str) -> dict[str, str]:
    """One thread everywhere, and byte code kept in a folder."""
    kept = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": bytecode}
