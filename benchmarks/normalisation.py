"""In which form is a text read best? The recipes of kept models, each with every normalisation.

Nothing else of a recipe changes: a form that takes fewer tokens has more of a long text in the same
window. Accuracy is the int8 bundle's, of rows that are no test rows: Devign's validation rows, and
of authorship the rows that the recipe holds out. What `benchmarks/ablation.py` says of clones,
where the student is an encoder alone, stands beside this.

    python benchmarks/normalisation.py [--seeds N] [--rows N] [--tasks NAME...] [--quick]

Writes benchmarks/results/normalisation.json; finished runs are not run again. Needs the data sets
that the recipes name.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import get_args

from codewren.bench.machine import machine
from codewren.cli.console import Output
from codewren.pipeline import run_recipe
from codewren.recipe import Recipe, load_recipe
from codewren.run_directory import Run
from codewren_runtime.errors import GateError
from codewren_runtime.files import write_json
from codewren_runtime.types import Normalisation
from quality import SMALL, seeded
from tables import over_seeds

ROOT = Path(__file__).resolve().parents[1]
RECIPES = {"authorship": "authorship-python.toml", "vulnerability": "vulnerability-c.toml"}
FORMS = [form for form in get_args(Normalisation) if form != "nameless"]  # of C, for hardening
BUNDLE = "bundle, int8"


def changed(task: str, form: Normalisation, seed: int, rows: int, *, quick: bool) -> Recipe:
    """The recipe with texts in another form, on at most `rows` training rows."""
    recipe = seeded(load_recipe(ROOT / "recipes" / RECIPES[task]), seed, quick=False)
    data = recipe.data
    data = replace(
        data, test=data.validation or data.test, validation=None,
        **(SMALL if quick else {"train_rows": rows, "unlabelled_rows": rows}),
    )  # fmt: skip
    return replace(recipe, data=data, control=False, task=replace(recipe.task, normalisation=form))


def accuracy(recipe: Recipe, folder: Path, output: Output) -> float | None:
    """The bundle's; None where it fails a gate of export."""
    run = Run(folder, output.reporter())
    with run.locked():
        try:
            rows = run_recipe(run, recipe)["rows"]
        except GateError as error:
            print(error)
            return None
    return next(float(row["scores"]["accuracy"]) for row in rows if row["name"] == BUNDLE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=8_000, help="of the training rows")
    parser.add_argument("--tasks", nargs="+", default=list(RECIPES))
    parser.add_argument("--quick", action="store_true", help="a few hundred rows, one seed")
    parser.add_argument("--runs", type=Path, default=ROOT / "run" / "normalisation")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    output, seeds = Output(json=False, quiet=True), 1 if given.quick else given.seeds
    tasks: dict[str, dict[str, list[float]]] = {}
    given.out.mkdir(parents=True, exist_ok=True)
    for task in given.tasks:
        forms = tasks.setdefault(task, {})
        for seed in range(seeds):
            for form in FORMS:
                recipe = changed(task, form, seed, given.rows, quick=given.quick)
                found = accuracy(recipe, given.runs / f"{task}-{form}-{seed}", output)
                if found is not None:
                    forms.setdefault(form, []).append(found)
                print(task, seed, form, found, flush=True)
    spreads = {task: {f: over_seeds(v) for f, v in forms.items()} for task, forms in tasks.items()}
    write_json(
        given.out / "normalisation.json",
        {"machine": machine(), "rows": given.rows, "tasks": spreads},
    )


if __name__ == "__main__":
    main()
