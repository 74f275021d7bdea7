"""What each part of the recipe is worth: one change at a time, over seeds, beside the base.

Clone pairs of BigCloneBench. For each seed a teacher, on other pairs than the students see; then
the base student and one for each arm, each through search, distill and export, and its bundle on
the validation pairs, whose functions no training saw. An arm starts from a copy of the base's run:
what it leaves as it was is not made again. Nor is what a killed run of this script had finished.

    python benchmarks/ablation.py                       # three seeds: half an hour of one core
    python benchmarks/ablation.py --seeds 1 --arms text int4
    python benchmarks/ablation.py --quick

Writes ablation.json and ablation.png. Needs BigCloneBench as recipes/clones-java-encoder.toml names
it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from ablation_arms import AGAINST, ARMS, BASE, FIELDS, distilled, labelled
from codewren.bench.machine import machine
from codewren.cli.console import Output
from codewren.pipeline import run_recipe, sample
from codewren.plots import new_axes, save
from codewren.recipe import Recipe, load_recipe
from codewren.run_directory import Run, Step
from codewren.verbs.evaluate import evaluate_bundle, evaluate_folder
from codewren.verbs.export import BUNDLE
from codewren.verbs.finetune import finetune
from codewren.verbs.label import LabelSource
from codewren_runtime.errors import GateError
from codewren_runtime.files import file_sha256, write_bytes, write_json
from codewren_runtime.metrics import Scores
from codewren_runtime.types import Architecture, Example, Task
from tables import over_seeds

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes" / "clones-java-encoder.toml"
FAILED = f"{BUNDLE}.failed"
ROWS = {"teacher": 9_000, "students": 3_000}
QUICK_ROWS = {"teacher": 750, "students": 250}
SHOWN = 50  # for the report and the baselines of each run, which nothing here reads
EPOCHS, TEACHER_EPOCHS = 4, 3
TEACHER = Architecture(4000, 128, 1, 4, 256, 128)
SPACE = """
max_length = 96
vocab_size = [1000, 2000, 4000]
hidden_size = { start = 32, stop = 192, step = 16 }
num_layers = [1]
num_heads = [2]
intermediate_size = [64, 128, 256]
"""

Figures = dict[str, Any]


SCORES = ("accuracy", "auc", "student_accuracy", "student_auc")


def base_recipe(folder: Path, seed: int, *, quick: bool) -> Recipe:
    """The base of a seed: its data, its space and its teacher lie in `folder`.

    The recipe of the kept model, smaller; where arms differ, what codewren had for defaults before
    the arms were compared.
    """
    recipe = load_recipe(RECIPE)
    data = replace(
        recipe.data, train=folder / "train.jsonl", unlabelled=folder / "train.jsonl",
        test=folder / "test.jsonl", validation=None, fields=FIELDS,
        train_rows=SHOWN, test_rows=SHOWN,
    )  # fmt: skip
    training = replace(
        recipe.training, seed=seed, epochs=2 if quick else EPOCHS, ema=0.0, learning_rate=1e-3
    )
    base = replace(
        recipe,
        teacher=None,
        task=replace(recipe.task, normalisation="structure"),
        data=data,
        label=LabelSource(teachers=(str(folder / "run" / "teacher"),)),
        search=replace(
            recipe.search, size="300kB", space=str(folder / "space.toml"), exhaustive=True
        ),
        teacher_training=replace(
            recipe.teacher_training, seed=seed, epochs=1 if quick else TEACHER_EPOCHS
        ),
        training=training,
        control=False,
        seed=seed,
    )
    fresh = replace(recipe.distill.fresh, embeddings="random", dropout=0.0)
    return distilled(base, fresh=fresh, hard_weight=0.0, temperature=4.0)


def prepare(folder: Path, seed: int, output: Output, *, quick: bool) -> Recipe:
    """Draw the rows of a seed and train its teacher, unless it is there; the base recipe."""
    whole = load_recipe(RECIPE)
    data, labels = whole.data, whole.task.labels
    assert labels is not None
    assert data.validation is not None
    assert whole.teacher is not None
    rows = QUICK_ROWS if quick else ROWS
    count = sum(rows.values())
    drawn = sample(labelled(data.train, data.fields, labels), count, seed).examples
    test = labelled(data.validation, data.fields, labels)
    folder.mkdir(parents=True, exist_ok=True)
    students = set(range(0, count, count // rows["students"]))
    parts = {
        "train": [drawn[at] for at in sorted(students)],
        "teacher": [row for at, row in enumerate(drawn) if at not in students],
        "test": test.examples[: rows["students"]] if quick else test.examples,
    }
    for name, examples in parts.items():
        write_lines(examples, folder / f"{name}.jsonl")
    write_bytes(folder / "space.toml", SPACE.encode())
    recipe = base_recipe(folder, seed, quick=quick)
    task = Task(recipe.task.name, "pair", labels, recipe.task.normalisation)
    run = Run(folder / "run", output.reporter())
    with run.locked():
        of_teacher = labelled(folder / "teacher.jsonl", FIELDS, labels)
        source = replace(whole.teacher, architecture=TEACHER)
        finetune(run, of_teacher, task, source, recipe.teacher_training)
    return recipe


def write_lines(rows: Sequence[Example], path: Path) -> None:
    """The rows with their texts, as JSON lines."""
    fields = ({"text1": row.text, "text2": row.text2, "label": row.label} for row in rows)
    write_bytes(path, "".join(json.dumps(row) + "\n" for row in fields).encode())


def figures_of(recipe: Recipe, folder: Path, base: Path, output: Output) -> Figures:
    """The figures of one run; what is finished is not run again."""
    begin = time.process_time()
    if not folder.exists() and base.exists():
        shutil.copytree(base, folder)
        (folder / "task.json").unlink()
    data = [file_sha256(path) for path in (recipe.data.unlabelled, recipe.data.test)]
    run = Run(folder, output.reporter())
    step = Step("arm", run.path("figures.json"), {"recipe": repr(recipe), "data": data})
    if (done := step.result()) is not None:
        return dict(done["figures"])
    with run.locked():
        student, bundle, passed = outcome(run, recipe)
        trained = json.loads(run.path("student/metrics.json").read_text())
        figures = {
            "accuracy": bundle.accuracy,
            "auc": bundle.auc,
            "student_accuracy": student.accuracy,
            "student_auc": student.auc,
            "bytes": run.path(BUNDLE if passed else FAILED).stat().st_size,
            "parameters": trained["parameters"],
            "passed": passed,
            "training_seconds": trained["seconds"],
            "cpu_seconds": round(time.process_time() - begin, 1),
        }
        return dict(step.finish({"figures": figures})["figures"])


def outcome(run: Run, recipe: Recipe) -> tuple[Scores, Scores, bool]:
    """Scores of the student and of its bundle, and whether that passed export's gates."""
    test = labelled(recipe.data.test, FIELDS, recipe.task.labels)
    try:
        run_recipe(run, recipe)
    except GateError:
        passed, name = False, FAILED
    else:
        passed, name = True, BUNDLE
    student = evaluate_folder(run.reporter, run.path("student"), "student", test)
    return student.scores, evaluate_bundle(run.reporter, run.path(name), "", test).scores, passed


def summary(runs: dict[str, list[Figures]]) -> Figures:
    """Each arm's figures over seeds, and how they differ from its reference, seed by seed."""
    table: Figures = {}
    for name, rows in runs.items():
        against = AGAINST.get(name, BASE)
        pairs = list(zip(rows, runs[against], strict=True))
        table[name] = {
            "against": against,
            "bytes": rows[0]["bytes"],
            "parameters": rows[0]["parameters"],
            "passed": sum(row["passed"] for row in rows),
            "cpu_seconds": round(mean(row["cpu_seconds"] for row in rows), 1),
            **{figure: over_seeds([row[figure] for row in rows]) for figure in SCORES},
            "difference": {f: over_seeds([a[f] - b[f] for a, b in pairs]) for f in SCORES[:2]},
            "lost_at_export": over_seeds(
                [row["student_accuracy"] - row["accuracy"] for row in rows]
            ),
        }
    return table


def plot(arms: Figures, path: Path) -> None:
    """Each arm's difference from its reference, in points of accuracy: a dot for each seed."""
    figure, axes = new_axes(7.0, 1.2 + 0.28 * len(arms))
    names = [name for name in arms if name != BASE][::-1]
    for place, name in enumerate(names):
        found = arms[name]["difference"]["accuracy"]
        axes.plot(
            [100 * value for value in found["all"]], [place] * len(found["all"]), "o", color="0.6"
        )
        axes.plot(100 * found["mean"], place, "D", color="C0")
    axes.axvline(0, color="0.5", linewidth=1)
    labels = [f"{n} (against {AGAINST[n]})" if n in AGAINST else n for n in names]
    axes.set_yticks(range(len(names)), labels, fontsize=7)
    axes.set(xlabel="points of accuracy more than the base; dots: seeds")
    axes.set_title("One change at a time")
    save(figure, path)


def main() -> None:
    """Run what is missing; the table and the plot are written as each seed ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", default=[""], help="arms whose names begin so")
    parser.add_argument("--runs", type=Path, default=ROOT / "run" / "ablation")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--quick", action="store_true", help="a few hundred pairs, two epochs")
    given = parser.parse_args()
    wanted = {name for name in ARMS if name == BASE or name.startswith(tuple(given.arms))}
    wanted |= {AGAINST[name] for name in wanted & AGAINST.keys()}
    output, runs = Output(json=False, quiet=True), dict[str, list[Figures]]()
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds):
        folder = given.runs / f"{'quick-' if given.quick else ''}{seed}"
        recipe = prepare(folder, seed, output, quick=given.quick)
        for name in (name for name in ARMS if name in wanted):
            place = folder / name.replace(" ", "-").replace(":", "")
            found = figures_of(ARMS[name](recipe), place, folder / BASE, output)
            runs.setdefault(name, []).append(found)
            print(seed, f"{name:28}", found, flush=True)
        rows = QUICK_ROWS if given.quick else ROWS
        data = {"reduced": given.quick, "seeds": seed + 1, "rows": rows, "arms": summary(runs)}
        write_json(given.out / "ablation.json", {"machine": machine(), **data})
        plot(data["arms"], given.out / "ablation.png")


if __name__ == "__main__":
    main()
