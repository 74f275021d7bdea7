"""Peak memory of label and distill on unlabelled code, as the rows grow.

    python benchmarks/memory.py [--data FILE.jsonl.gz] [--rows N N ...] [--quick]

The functions of the data (field func; without --data those of the standard library) are repeated,
each time with another comment at their end, until there are so many rows. A fresh process then does
what `compress label` and `compress distill` do up to the first batches: it reads the rows, trains
the student's vocabulary on them, has a teacher of the student's own shape answer 20 batches, and
trains 20 steps on soft labels that are drawn. Its resident memory is noted after each stage, and
the peak in the end; the process alone, with nothing read, is the row of 0.

Writes benchmarks/results/memory.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from bundles import library
from codewren.bench.machine import machine
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
STEPS = 20
CHUNK = 4_000  # rows whose soft labels are drawn at a time


def functions(data: Path | None) -> list[str]:
    """The texts to repeat."""
    if data is None:
        text = library()
        return [text[at : at + 1_000] for at in range(0, len(text) - 1_000, 1_000)]
    with gzip.open(data, "rt", encoding="utf-8") as stream:
        return [json.loads(line)["func"] for line in stream]


def write_rows(texts: list[str], rows: int, path: Path) -> int:
    """So many rows; the characters in them."""
    characters = 0
    with path.open("w", encoding="utf-8") as stream:
        for row, text in enumerate(islice(cycle(texts), rows)):
            line = f"{text}\n/* copy {row // len(texts)} */"
            characters += len(line)
            stream.write(json.dumps({"func": line}) + "\n")
    return characters


def measured(path: Path, rows: int) -> dict[str, Any]:
    """What a fresh process says."""
    command = [sys.executable, __file__, "--measure", str(path), "--rows", str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


class Enough(Exception):  # noqa: N818 - no error: the stage has shown what it takes
    """So many batches are done."""


def measure(path: Path, rows: int) -> None:
    """The stages in this process; prints megabytes after each, as JSON."""
    import numpy as np

    from codewren.data import Fields, read_examples
    from codewren.verbs.training import fresh_student
    from codewren_distill.labelling import label_examples
    from codewren_distill.settings import FreshStudent, TrainingSettings
    from codewren_distill.soft_labels import SoftLabels
    from codewren_distill.train import distill
    from codewren_runtime.types import Architecture, Task

    found = {"start": resident()}
    if rows:
        task = Task("memory", "single", ("no", "yes"))
        data = read_examples(path, Fields(label=None), None, require_label=False)
        found["read"] = resident()
        shape = Architecture(2_000, 64, 1, 1, 64, 256)
        student = fresh_student(shape, task, data, FreshStudent(), 0)
        found["vocabulary"] = resident()
        with tempfile.TemporaryDirectory(prefix="codewren-memory-") as folder:
            counted = Counter()
            with suppress(Enough):
                label_examples(
                    student, "t", data.examples, Path(folder) / "s", advance=counted.batch
                )
            found["label"] = resident()
            soft = SoftLabels("t", task.labels, {})
            for begin in range(0, rows, CHUNK):
                part = [data.examples[at] for at in range(begin, min(begin + CHUNK, rows))]
                soft.add(part, np.zeros((len(part), 2), dtype=np.float32))
            found["soft labels"] = resident()
            counted.batches = 0
            with suppress(Enough):
                distill(
                    student, data.examples, soft, TrainingSettings(batch_size=8), Path(folder),
                    loss="kl", temperature=1, identity="x", report=lambda _: counted.batch(1),
                )  # fmt: skip
            found["distill"] = resident()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found["peak"] = round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)
    print(json.dumps(found))


class Counter:
    """Ends a stage after so many batches."""

    def __init__(self) -> None:
        self.batches = 0

    def batch(self, rows: int) -> None:
        """One more; rows that were passed over are none."""
        self.batches += rows > 0
        if self.batches >= STEPS:
            raise Enough


def resident() -> int:
    """Megabytes that the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[0, 125_000, 250_000, 500_000])
    parser.add_argument("--quick", action="store_true", help="few rows")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure is not None:
        measure(arguments.measure, arguments.rows[0])
        return
    sizes = [0, 400] if arguments.quick else arguments.rows
    texts = functions(arguments.data)
    made = []
    with tempfile.TemporaryDirectory(prefix="codewren-memory-") as scratch:
        for rows in sizes:
            path = Path(scratch) / "rows.jsonl"
            characters = write_rows(texts, rows, path)
            megabytes = measured(path, rows)
            made.append({"rows": rows, "characters": characters, "megabytes": megabytes})
            print(f"{rows:>9,} rows {characters / 1e6:>8.1f} MB of text", megabytes)
    write_json(arguments.out / "memory.json", {"machine": machine(), "rows": made})


if __name__ == "__main__":
    main()
