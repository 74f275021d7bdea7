"""The two published 3 MB students through our importer and exporter: do they answer as they did?

Each is imported, scored in torch on all rows of test_public, exported in int8 and scored again
through the runtime; the labels are compared row by row. The figures to be reproduced are those that
stand with the checkpoints: 58.13 % for vulnerabilities; 95.30 % for clones, measured on functions
whose annotations the data no longer have.

    python benchmarks/published.py [--rows N]

Writes benchmarks/results/published.json. Needs the checkpoints and data in shared/ beside the
checkout.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codewren.bench.machine import machine
from codewren.data import Dataset, read_examples
from codewren.progress import Silent
from codewren.recipe import load_recipe
from codewren.run_directory import Run
from codewren.target import open_target
from codewren.verbs.export import BUNDLE, export
from codewren.verbs.import_ import import_published
from codewren_runtime.files import write_json

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINTS = ROOT.parent / "shared" / "published"
PUBLISHED = {"vulnerability": "codebert-vulnerability-3mb", "clones": "codebert-clone-3mb"}
RECIPES = {"vulnerability": "vulnerability-c.toml", "clones": "clones-java.toml"}
REPORTED = {"vulnerability": 0.5813, "clones": 0.9530}


def published_bundle(run: Run, task: str, data: Dataset) -> Path:
    """The published student of a task as `run`'s student and int8 bundle; gates use the data."""
    import_published(run, CHECKPOINTS / PUBLISHED[task], data, name=task, heads=8)
    export(run)
    return run.path(BUNDLE)


def test_rows(task: str) -> Dataset:
    recipe = load_recipe(ROOT / "recipes" / RECIPES[task])
    return read_examples(
        recipe.data.test, recipe.data.fields, recipe.task.labels, require_label=True
    )


def compared(task: str, rows: int | None) -> dict[str, Any]:
    """Accuracy of the original and of its bundle, and on how many rows they say the same."""
    data = test_rows(task)
    data = replace(data, examples=data.examples[:rows])
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder), Silent())
        bundle = published_bundle(run, task, data)
        size = bundle.stat().st_size
        original, ours = (
            np.array([answer for answer, _ in open_target(path).judge(data.examples)])
            for path in (run.path("student"), bundle)
        )
    truth = np.array([example.label for example in data.examples])
    return {
        "rows": len(truth),
        "reported": REPORTED[task],
        "original": round(float((original == truth).mean()), 5),
        "int8": round(float((ours == truth).mean()), 5),
        "same_label": int((original == ours).sum()),
        "bytes": size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, help="of each test set  [default: all]")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    found = {task: compared(task, given.rows) for task in PUBLISHED}
    for task, row in found.items():
        print(
            f"{task:14} reported {row['reported']:.2%}, original {row['original']:.2%}, int8 "
            f"{row['int8']:.2%} in {row['bytes']:,} bytes; the same label on {row['same_label']:,} "
            f"of {row['rows']:,}: {row['same_label'] / row['rows']:.2%}"
        )
    write_json(given.out / "published.json", {"machine": machine(), "students": found})


if __name__ == "__main__":
    main()
