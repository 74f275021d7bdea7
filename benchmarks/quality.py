"""How good are the students? Every recipe of the kept models, over seeds, beside the sceptics.

For each task: the majority class, the TF-IDF linear model trained on the same rows, the teacher,
the student's shape trained on labels with equal compute (the control), the distilled student, its
bundle, and the published students where there are any. Vulnerabilities also without the training
rows whose commit is one of the test set's.

    python benchmarks/quality.py                        # three seeds: hours on two cores
    python benchmarks/quality.py --seeds 1 --tasks clones
    python benchmarks/quality.py --runs DIR             # finished runs there are not run again

Figures of tasks that were not asked for stay in the JSON.

Needs the data sets that the recipes name.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codewren.cli.console import Output
from codewren.pipeline import run_recipe
from codewren.plots import new_axes, save
from codewren.recipe import Recipe, load_recipe
from codewren.report import Row
from codewren.run_directory import Run
from codewren.verbs.evaluate import evaluate_bundle
from codewren_runtime.files import read_json, write_json
from published import CHECKPOINTS, PUBLISHED, published_bundle, test_rows
from published import RECIPES as OF_PUBLISHED

ROOT = Path(__file__).resolve().parents[1]
RECIPES = OF_PUBLISHED | {"authorship": "authorship-python.toml"}
UNSHARED = "vulnerability, no commit shared"
FIGURES = ("accuracy", "f1", "auc")
SMALL = {"train_rows": 300, "unlabelled_rows": 300, "test_rows": 100}

Figures = dict[str, Any]


def seeded(recipe: Recipe, seed: int, *, quick: bool) -> Recipe:
    """The recipe with another seed everywhere, with `quick` on a few rows."""
    data = replace(recipe.data, **SMALL) if quick else recipe.data
    return replace(
        recipe,
        data=data,
        seed=seed,
        search=replace(recipe.search, seed=seed),
        teacher_training=replace(recipe.teacher_training, seed=seed),
        training=replace(recipe.training, seed=seed),
    )


def recipe_of(task: str, runs: Path) -> Recipe:
    """A task's recipe; for UNSHARED with training rows of other commits alone."""
    recipe = load_recipe(ROOT / "recipes" / RECIPES[task.split(",", maxsplit=1)[0]])
    if task != UNSHARED:
        return recipe
    runs.mkdir(parents=True, exist_ok=True)
    kept = runs / "unshared.jsonl"
    with gzip.open(recipe.data.train, "rt") as lines, kept.open("w") as out:
        out.writelines(line for line in lines if not json.loads(line)["commit_in_test"])
    return replace(recipe, data=replace(recipe.data, train=kept, unlabelled=kept))


def rows_of(
    task: str, seeds: int, runs: Path, output: Output, *, quick: bool
) -> Iterator[list[Figures]]:
    """The report's rows of each seed."""
    recipe = recipe_of(task, runs)
    for seed in range(seeds):
        run = Run(runs / f"{task.replace(', ', '-').replace(' ', '-')}-{seed}", output.reporter())
        with run.locked():
            yield run_recipe(run, seeded(recipe, seed, quick=quick))["rows"]


def published_row(task: str, runs: Path, output: Output) -> Row | None:
    """The published student of a task, through our importer and exporter."""
    if task not in PUBLISHED or not (CHECKPOINTS / PUBLISHED[task]).is_dir():
        return None
    test = test_rows(task)
    run = Run(runs / f"{task}-published", output.reporter())
    with run.locked():
        bundle = published_bundle(run, task, test)
    return evaluate_bundle(output.reporter(), bundle, "published student, int8", test)


def summary(seeds: list[list[Figures]]) -> list[Figures]:
    """One row per model: mean and standard deviation over seeds; None for what is not there."""
    table = []
    for rows in zip(*seeds, strict=True):
        figures: Figures = {"model": rows[0]["name"], "bytes": rows[0]["bytes"]}
        for figure in FIGURES:
            values = [row["scores"][figure] for row in rows]
            known = [value for value in values if value is not None]
            figures[figure] = round(float(np.mean(known)), 4) if known else None
            figures[f"{figure}_sd"] = round(float(np.std(known)), 4) if known else None
            figures[f"{figure}_all"] = [round(value, 4) for value in known]
        table.append(figures)
    return table


def plot(tasks: dict[str, Any], path: Path) -> None:
    """Accuracy against bytes, a colour for each task."""
    figure, axes = new_axes()
    for name, task in tasks.items():
        rows = [row for row in task["models"] if row["bytes"]]
        axes.errorbar(
            [row["bytes"] / 1e6 for row in rows],
            [100 * row["accuracy"] for row in rows],
            yerr=[100 * row["accuracy_sd"] for row in rows],
            fmt="o",
            label=name,
        )
        for row in rows:
            axes.annotate(
                row["model"].split(":")[0],
                (row["bytes"] / 1e6, 100 * row["accuracy"]),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=6,
            )
    axes.axvline(3.0, color="0.5", linestyle="--", linewidth=1)
    axes.set(xscale="log", xlabel="MB on disk (dashed: 3 MB)", ylabel="accuracy, %")
    axes.set_title("Quality against bytes")
    axes.legend(fontsize=7)
    save(figure, path)


def main() -> None:
    """Run what is missing, then write the table and the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tasks", nargs="+", default=[*RECIPES, UNSHARED])
    parser.add_argument("--runs", type=Path, default=ROOT / "run" / "quality")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--quick", action="store_true", help="a few hundred rows of each")
    flags = parser.parse_args()
    output, path = Output(json=False, quiet=False), flags.out / "quality.json"
    flags.out.mkdir(parents=True, exist_ok=True)
    before = read_json(path) if path.is_file() else {}
    tasks = before["tasks"] if before.get("quick") == flags.quick else dict[str, Any]()
    for task in flags.tasks:
        seeds = list(rows_of(task, flags.seeds, flags.runs, output, quick=flags.quick))
        models = summary(seeds)
        if (row := published_row(task, flags.runs, output)) is not None:
            scores = {name: getattr(row.scores, name) for name in FIGURES}
            models += summary([[{"name": row.name, "bytes": row.bytes, "scores": scores}]])
        tasks[task] = {"seeds": flags.seeds, "models": models}
        for figures in models:
            print(
                f"{task:32} {figures['model']:48} {100 * figures['accuracy']:6.2f} "
                f"± {100 * figures['accuracy_sd']:.2f} %  {figures['bytes']:>12,} bytes"
            )
    write_json(path, {"quick": flags.quick, "tasks": tasks})
    plot(tasks, flags.out / "quality.png")


if __name__ == "__main__":
    main()
