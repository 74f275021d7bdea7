"""Do pre-training, and a teacher's states, help a small student? Against controls, over seeds.

On a sample of BigCloneBench's pairs (CodeXGLUE's split, of which no function of the test set is
in training), with the settings of recipes/clones-java-encoder.toml and a smaller student:

from labels: the student as it is, with as many more steps as pre-training takes (equal compute),
and pre-trained on other Java functions, with and without the kinds of tokens; from a teacher's
answers: with and without its hidden states and its relations. The teacher, trained from scratch on
all pairs, is one for all seeds.

    python benchmarks/pretraining.py                    # some 20 minutes of one core
    python benchmarks/pretraining.py --variants labels pretrained --seeds 1
    python benchmarks/pretraining.py --runs DIR         # what is finished there is not run again

Needs the data sets that the recipe names.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from codewren.cli.console import Output
from codewren.data import Dataset, Fields, read_examples
from codewren.pipeline import sample
from codewren.plots import new_axes, save
from codewren.recipe import load_recipe
from codewren.run_directory import Run
from codewren.verbs.distill import DistillSettings, distill
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.label import LabelSource, label
from codewren.verbs.pretrain import PretrainSettings, pretrain
from codewren.verbs.search import SearchSettings, search_architecture
from codewren_distill.classifier import load_classifier
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_runtime.files import read_json, write_bytes, write_json
from codewren_runtime.metrics import score
from codewren_runtime.types import Architecture, Task

ROOT = Path(__file__).resolve().parents[1]
UNLABELLED = ROOT.parent / "shared" / "data" / "unlabelled" / "java.jsonl.gz"

# One shape: what is compared are trainings.
SPACE = """
max_length = 64
vocab_size = 4000
hidden_size = 64
num_layers = 2
num_heads = 4
intermediate_size = 128
"""
TEACHER = Architecture(4000, 192, 3, 4, 384, 128)
WEIGHT = 1.0  # of hidden states, of relations; not tuned

Figures = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How many pairs and texts, and how often they are passed over."""

    pairs: int | None = 3000
    teacher_pairs: int | None = None
    texts: int = 5000
    held_out: int | None = None
    epochs: int = 4
    teacher_epochs: int = 4
    pretraining_epochs: int = 2


QUICK = Size(120, 120, 100, 100, 1, 1, 1)


@dataclass(frozen=True)
class Variant:
    """A training, how its student is pre-trained, and how many times as long it trains."""

    name: str
    settings: Callable[[DistillSettings], DistillSettings]
    pretrain: PretrainSettings | None = None
    longer: bool = False


def _labels(settings: DistillSettings) -> DistillSettings:
    return replace(settings, hard_weight=1.0)


def _soft(hidden: float, relation: float) -> Callable[[DistillSettings], DistillSettings]:
    return lambda settings: replace(
        settings, hard_weight=0.0, hidden_weight=hidden, relation_weight=relation
    )


MASKED = PretrainSettings(embeddings="cooccurrence", dropout=0.1)
VARIANTS = (
    Variant("labels", _labels),
    Variant("labels, equal compute", _labels, longer=True),
    Variant("pretrained", _labels, MASKED),
    Variant("token types", _labels, replace(MASKED, token_types=True, language="java")),
    Variant("soft labels", _soft(0, 0)),
    Variant("hidden states", _soft(WEIGHT, 0)),
    Variant("relations", _soft(0, WEIGHT)),
    Variant("both", _soft(WEIGHT, WEIGHT)),
)


class Bench:
    """The data and one run directory, in which every variant is trained in turn."""

    def __init__(self, runs: Path, size: Size) -> None:
        self.recipe, self.size = load_recipe(ROOT / "recipes" / "clones-java-encoder.toml"), size
        self.run = Run(runs, Output(quiet=False).reporter())
        data, task = self.recipe.data, self.recipe.task
        assert data.validation is not None
        self.task = Task(task.name, task.kind, task.labels or (), task.normalisation)
        whole = self._read(data.train)
        self.train = sample(whole, size.pairs, 0)
        self.teacher_train = sample(whole, size.teacher_pairs, 0)
        held_out = {"valid": data.validation, "test_public": data.test}
        self.held_out = {
            name: sample(self._read(path), size.held_out, 0) for name, path in held_out.items()
        }
        texts = read_examples(UNLABELLED, Fields("code", label=None), None, require_label=False)
        self.texts = sample(texts, size.texts, 0)

    def _read(self, path: Path) -> Dataset:
        data, labels = self.recipe.data, self.recipe.task.labels
        return read_examples(path, data.fields, labels, require_label=True)

    def prepare(self) -> None:
        """The student's shape, the teacher, its answers and its states."""
        space = self.run.path("space.toml")
        write_bytes(space, SPACE.encode())
        self.run.set_task(self.task)
        search = SearchSettings("3MB", space=str(space), exhaustive=True)
        search_architecture(self.run, search, self.task)
        teacher = ModelSource(architecture=TEACHER, fresh=self.recipe.distill.fresh)
        training = replace(self.recipe.teacher_training, epochs=self.size.teacher_epochs)
        finetune(self.run, self.teacher_train, self.task, teacher, training)
        label(self.run, self.train, self.task, LabelSource(states=True))

    def scores(self, folder: str) -> Figures:
        """Accuracy, F1 and AUC of a classifier of the run on each held-out set."""
        classifier = load_classifier(self.run.path(folder))
        found: Figures = {}
        for name, data in self.held_out.items():
            truth = [example.label for example in data.examples]
            made = score(logits_of(classifier, data.examples), truth)
            found[name] = {"accuracy": made.accuracy, "f1": made.f1, "auc": made.auc}
        return found

    def measure(self, variant: Variant, seed: int) -> Figures:
        """Train one student; its scores and the CPU seconds that it took."""
        begin, figures = time.process_time(), Figures()
        training = replace(self.recipe.training, epochs=self.size.epochs, seed=seed)
        if variant.pretrain is not None:
            figures["pretraining"] = self._pretrain(variant.pretrain, seed)
        elif variant.longer:
            training = replace(training, epochs=training.epochs + self._more_epochs())
        settings = variant.settings(self.recipe.distill)
        fresh: FreshStudent = replace(settings.fresh, from_scratch=variant.pretrain is None)
        distill(self.run, self.train, replace(settings, fresh=fresh), training)
        figures["cpu_seconds"] = round(time.process_time() - begin, 1)
        return figures | {"scores": self.scores("student")}

    def _pretrain(self, settings: PretrainSettings, seed: int) -> Figures:
        rate = self.recipe.training.learning_rate
        epochs = self.size.pretraining_epochs
        training = TrainingSettings(epochs=epochs, seed=seed, learning_rate=rate)
        made = pretrain(self.run, self.texts, self.task.normalisation, settings, training)
        return {name: made[name] for name in ("loss", "accuracy", "commonest", "kind_accuracy")}

    def _more_epochs(self) -> int:
        """Epochs of the student's texts that pass over as many texts as pre-training does."""
        from codewren_distill.memory import texts_of

        passes = self.size.pretraining_epochs * len(self.texts.examples)
        return max(1, round(passes / len(texts_of(self.train.examples))))


def campaign(bench: Bench, variants: Sequence[Variant], seeds: int) -> Figures:
    """All figures; those that an earlier call left in the run directory are not made again."""
    path = bench.run.path("figures.json")
    figures: Figures = read_json(path) if path.is_file() else {}
    bench.prepare()
    if "teacher" not in figures:
        figures["teacher"] = bench.scores("teacher")
    for seed in range(seeds):
        for variant in variants:
            key = f"{variant.name} {seed}"
            if key not in figures:
                figures[key] = bench.measure(variant, seed)
                write_json(path, figures)
            print(key, json.dumps(figures[key]["scores"]), flush=True)
    return figures


def summary(figures: Figures, names: Sequence[str], seeds: int) -> Figures:
    """Mean and standard deviation over seeds of each variant, in per cent, and all values."""
    table: Figures = {}
    for name in names:
        rows = [figures[f"{name} {seed}"] for seed in range(seeds)]
        found: Figures = {"cpu_seconds": [row["cpu_seconds"] for row in rows]}
        if "pretraining" in rows[0]:
            found["pretraining"] = [row["pretraining"] for row in rows]
        for held_out in rows[0]["scores"]:
            for figure in ("accuracy", "f1", "auc"):
                values = [100 * row["scores"][held_out][figure] for row in rows]
                found[f"{held_out} {figure}"] = {
                    "mean": round(float(np.mean(values)), 2),
                    "sd": round(float(np.std(values, ddof=min(1, seeds - 1))), 2),
                    "all": [round(value, 2) for value in values],
                }
        table[name] = found
    return table


def plot(table: Figures, path: Path) -> None:
    """Every seed's accuracy on both held-out sets, a row for each variant."""
    figure, axes = new_axes()
    for colour, held_out in enumerate(("valid", "test_public")):
        for row, found in enumerate(table.values()):
            values = found[f"{held_out} accuracy"]["all"]
            label = held_out if row == 0 else None
            places = [row + 0.2 * colour] * len(values)
            axes.plot(values, places, "o", color=f"C{colour}", alpha=0.7, label=label)
    axes.set_yticks(range(len(table)), list(table))
    axes.invert_yaxis()
    axes.set(xlabel="accuracy, % (a dot for each seed)")
    axes.legend(fontsize=7)
    save(figure, path)


def main() -> None:
    """Train what is missing, then write the table and the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--variants", nargs="+", default=[variant.name for variant in VARIANTS])
    parser.add_argument("--runs", type=Path, default=ROOT / "run" / "pretraining")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--quick", action="store_true", help="a hundred pairs, one epoch")
    flags = parser.parse_args()
    size = QUICK if flags.quick else Size()
    bench = Bench(flags.runs, size)
    variants = [variant for variant in VARIANTS if variant.name in flags.variants]
    with bench.run.locked():
        figures = campaign(bench, variants, flags.seeds)
    table = summary(figures, [variant.name for variant in variants], flags.seeds)
    flags.out.mkdir(parents=True, exist_ok=True)
    data = {
        "reduced": flags.quick,
        "seeds": flags.seeds,
        "pairs": len(bench.train.examples),
        "texts": len(bench.texts.examples),
        "weight": WEIGHT,
        "teacher": figures["teacher"],
        "variants": table,
    }
    write_json(flags.out / "pretraining.json", data)
    plot(table, flags.out / "pretraining.png")
    for name, found in table.items():
        shown = ", ".join(
            f"{held_out} {found[f'{held_out} accuracy']['mean']:.2f} "
            f"± {found[f'{held_out} accuracy']['sd']:.2f} %"
            for held_out in bench.held_out
        )
        print(f"{name:24} {shown}")


if __name__ == "__main__":
    main()
