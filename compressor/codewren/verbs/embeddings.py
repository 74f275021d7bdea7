"""evaluate for embeddings: code search, clones by label, or agreement with the teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from codewren.data import Dataset, evenly
from codewren.progress import Reporter
from codewren.report import Row
from codewren.retrieval import Integers, agreement_scores, clone_scores, search_scores
from codewren.run_directory import Run, read_marker
from codewren.verbs.costs import p50, shipped
from codewren.verbs.label import reading_hash
from codewren_runtime import load
from codewren_runtime.errors import DataError, ModelError, OptionError
from codewren_runtime.types import Example, Task

if TYPE_CHECKING:
    import torch

    from codewren_distill.classifier import Classifier

__all__ = ["Trial", "bundle_row", "embedding_rows"]

FOLDERS = {
    "control": "control: student's shape, trained on the pairs",
    "student": "student, distilled",
}
LEAST = 3  # texts, of which two cosines can be ranked
COMPARED = 2_000  # texts of which all pairs are compared, where agreement is measured

Embed = Callable[[Sequence[str]], Any]


@dataclass(frozen=True)
class Trial:
    """What the test rows ask for.

    Pairs: the second text is to be found by the first. Rows with labels: texts of one label are
    to find each other. Others: cosines as the teacher's. Raises DataError for rows with and
    without labels or too few to compare, OptionError where only a teacher could say what is
    right, and there is none.
    """

    test: Dataset
    teacher: Classifier | None = None

    def __post_init__(self) -> None:
        if self.is_search:
            return
        labels = [example.label for example in self.test.examples]
        unlabelled = labels.count(None)
        if 0 < unlabelled < len(labels):
            raise DataError(
                f"{self.test.path}: {unlabelled:,} of {len(labels):,} rows have no label; label "
                "all of them, or name a field that none has with --label"
            )
        alone = len(self.texts) < LEAST if unlabelled else len(set(labels)) == len(labels)
        if alone:
            raise DataError(
                f"{self.test.path}: {len(labels):,} rows, and nothing to compare; give at least "
                f"{LEAST} texts, or two of a label"
            )
        if unlabelled and self.teacher is None:
            raise OptionError(
                f"{self.test.path}: nothing to compare embeddings by; give pairs (--text1, "
                "--text2), labels, or a run whose teacher is there"
            )

    @property
    def is_search(self) -> bool:
        """Whether rows are pairs of a query and what it is to find."""
        return self.test.examples[0].text2 is not None

    @cached_property
    def texts(self) -> list[str]:
        """What is embedded, each text once; of unlabelled texts a part, evenly spread."""
        texts = list(dict.fromkeys(text for row in self.test.examples for text in row.texts))
        if self.is_search or self.test.examples[0].label is not None:
            return texts
        return [texts[at] for at in evenly(len(texts), COMPARED)]

    @cached_property
    def taught(self) -> Any:
        """The teacher's own vectors of the texts."""
        assert self.teacher is not None
        return _embedded(self.teacher, self.texts)

    def scores(self, embed: Embed) -> dict[str, float]:
        """The measures of one model."""
        vectors = embed(self.texts)
        rows, place = self.test.examples, {text: at for at, text in enumerate(self.texts)}
        if self.is_search:
            codes = list(dict.fromkeys(row.text2 for row in rows if row.text2 is not None))
            number = {code: at for at, code in enumerate(codes)}
            own = np.array([number[row.text2] for row in rows if row.text2 is not None])
            queries = vectors[[place[row.text] for row in rows]]
            return search_scores(queries, vectors[[place[code] for code in codes]], own)
        if rows[0].label is not None:
            labels: Integers = np.array([row.label for row in rows])
            return clone_scores(vectors[[place[row.text] for row in rows]], labels)
        return agreement_scores(self.taught, vectors)


def embedding_rows(
    run: Run, task: Task, test: Dataset, train: Dataset | None, bundle: Path | None, name: str
) -> list[Row]:
    """TF-IDF on `train` if given, then all that the run holds; `name` is the bundle's."""
    teacher = _teacher(run, task)
    trial = Trial(test, teacher)
    rows = [] if train is None else [_tfidf_row(train, trial)]
    if teacher is not None:
        rows.append(_torch_row(run.reporter, teacher, "teacher", trial))
    for folder, title in FOLDERS.items():
        if run.path(f"{folder}/metrics.json").is_file():
            rows.append(_folder_row(run.reporter, run.path(folder), title, trial))
    if bundle is not None:
        rows.append(bundle_row(run.reporter, bundle, name, trial))
    return rows


def _teacher(run: Run, task: Task) -> Classifier | None:
    """The teacher that label used, if it is still there."""
    from codewren_distill.teachers import load_teacher

    marker = run.path("soft_labels.json")
    if not marker.is_file():
        return None
    left = read_marker(marker)
    name, inputs = left["teacher"], left["inputs"]
    try:
        reads = inputs["max_length"], inputs["pooling"]
        if reading_hash(name, *reads) == inputs["teacher"]:
            return load_teacher(name, task, *reads)
    except ModelError:
        pass  # it has gone: the others do without
    run.reporter.say(f"evaluate: the teacher {name} is not what it was, left out")
    return None


def _torch_row(reporter: Reporter, teacher: Classifier, title: str, trial: Trial) -> Row:
    """One row: a model in torch on one thread; its bytes are those of its weights."""
    import torch

    threads, cpu = torch.get_num_threads(), torch.device("cpu")
    torch.set_num_threads(1)
    try:
        with reporter.step(f"evaluate {title.split(':', maxsplit=1)[0]}", 1) as bar:
            scores = trial.scores(lambda texts: _embedded(teacher, texts))
            bar.advance()
        latency = p50(lambda text: _embedded(teacher, [text], cpu), trial.texts)
    finally:
        torch.set_num_threads(threads)
    return Row(title, scores, 4 * teacher.parameters, latency)


def _folder_row(reporter: Reporter, folder: Path, title: str, trial: Trial) -> Row:
    """One row: a student's or control's folder, in torch on one thread."""
    from codewren_distill.classifier import load_classifier

    row = _torch_row(reporter, load_classifier(folder), title, trial)
    return Row(row.name, row.scores, shipped(folder), row.latency_ms)


def bundle_row(reporter: Reporter, path: Path, title: str, trial: Trial) -> Row:
    """One row: a bundle, through the runtime on one thread."""
    model = load(path)

    def embed(texts: Sequence[str]) -> Any:
        with reporter.step("evaluate bundle", len(texts)) as bar:
            vectors = []
            for text in texts:
                vectors.append(model.embed(text))
                bar.advance()
        return np.stack(vectors)

    scores = trial.scores(embed)
    return Row(title, scores, path.stat().st_size, p50(model.embed, trial.texts))


def _tfidf_row(train: Dataset, trial: Trial) -> Row:
    """The sceptic's: cosine of TF-IDF vectors, their document frequencies from `train`."""
    from codewren.baselines import tfidf_vectors

    fitted = tfidf_vectors(text for row in train.examples for text in row.texts)
    latency = p50(lambda text: fitted.transform([text]), trial.texts)
    return Row("TF-IDF cosine", trial.scores(fitted.transform), fitted.bytes, latency)


def _embedded(model: Classifier, texts: Sequence[str], device: torch.device | None = None) -> Any:
    from codewren_distill.scoring import logits_of

    return logits_of(model, [Example(text) for text in texts], device=device)
