"""What becomes of code beyond the window: truncate, split-mean and split-max, side by side.

Each kept model is packed anew with each policy, weights and threshold as they are, and judges the
validation rows of its recipe: all of them, and those with a text beyond the window.

    python benchmarks/long_inputs.py [--quick]

Writes benchmarks/results/long_inputs.json. Needs the data sets that the recipes name.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from codewren.bench.machine import machine
from codewren.data import Dataset, read_examples
from codewren.kept import KEPT, kept_bundle
from codewren.progress import Silent
from codewren.recipe import load_recipe
from codewren.verbs.evaluate import evaluate_bundle
from codewren_export.pack import pack
from codewren_runtime import read_bundle
from codewren_runtime.bundle import MANIFEST
from codewren_runtime.decision import LongInputs
from codewren_runtime.files import write_bytes, write_json
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Example

ROOT = Path(__file__).resolve().parents[1]
QUICK_ROWS = 200


def packed(bundle: Path, policy: LongInputs, out: Path) -> Path:
    """The bundle with another policy for long inputs."""
    with zipfile.ZipFile(bundle) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(parts.pop(MANIFEST))
    write_bytes(out, pack(manifest | {"long_inputs": policy}, parts))
    return out


def beyond_the_window(bundle: Path, data: Dataset) -> Dataset:
    """The rows of which a text is longer than the model's window."""
    read = read_bundle(bundle)
    architecture, task = read.manifest.architecture, read.manifest.task
    tokenizer = CodeTokenizer(read.tokenizer_json, architecture.max_length, task.normalisation)

    def is_long(example: Example) -> bool:
        texts = (example.text, example.text2 or "")
        return any(len(tokenizer.windows(text)) > 1 for text in texts)

    places = [at for at, example in enumerate(data.examples) if is_long(example)]
    return replace(
        data,
        examples=tuple(data.examples[at] for at in places),
        lines=tuple(data.lines[at] for at in places),
    )


def rows_of(name: str, *, quick: bool) -> Iterator[dict[str, Any]]:
    """A row for each policy that the model's task allows."""
    recipe, bundle = load_recipe(ROOT / "recipes" / f"{name}.toml"), kept_bundle(Path(name))
    path, task = recipe.data.validation, read_bundle(bundle).manifest.task
    assert path is not None, "the kept models' recipes name validation rows"
    data = read_examples(path, recipe.data.fields, task.labels, require_label=True)
    if quick:
        data = replace(data, examples=data.examples[:QUICK_ROWS], lines=data.lines[:QUICK_ROWS])
    sets = {"all": data, "beyond the window": beyond_the_window(bundle, data)}
    policies = [p for p in get_args(LongInputs) if p != "split-max" or task.kind == "single"]
    with tempfile.TemporaryDirectory() as folder:
        for policy in policies:
            made = packed(bundle, policy, Path(folder, f"{policy}.wren"))
            for which, rows in sets.items():
                found = evaluate_bundle(Silent(), made, policy, rows)
                yield {
                    "policy": policy,
                    "of": which,
                    "rows": len(rows.examples),
                    "accuracy": round(found.scores.accuracy, 4),
                    "auc": None if found.scores.auc is None else round(found.scores.auc, 4),
                    "p50_ms": round(found.latency_ms, 3),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_ROWS} rows")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    models = {name: list(rows_of(name, quick=given.quick)) for name in KEPT}
    for name, rows in models.items():
        for row in rows:
            print(name, row)
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(
        given.out / "long_inputs.json",
        {"machine": machine(), "reduced": given.quick, "models": models},
    )


if __name__ == "__main__":
    main()
