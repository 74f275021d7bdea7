"""import: a published checkpoint as the student of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codewren.budget import Budget
from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.distill import keep_samples
from codewren.verbs.search import ARCHITECTURE, SearchSettings, read_architecture
from codewren.verbs.training import finished_training
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256, write_json
from codewren_runtime.types import Architecture

__all__ = ["import_published"]


def import_published(
    run: Run, folder: Path, data: Dataset, *, name: str, heads: int
) -> dict[str, Any]:
    """Turn the checkpoint in `folder` into `run/student/`; `data` is for export's gates.

    Returns what its metrics.json says. Raises as `read_published` does, DataError if the data
    are of the other kind, and OptionError if the run is for another task or architecture.
    """
    from codewren_distill.classifier import save_classifier
    from codewren_distill.published import read_published
    from codewren_distill.teachers import classifier_hash

    published = read_published(folder, name, heads)
    classifier, student = published.classifier, run.path("student")
    classifier.text.encode(data.examples[0])
    inputs = {
        "checkpoint": {path.name: file_sha256(path) for path in published.files},
        "task": classifier.task.to_json(),
        "architecture": published.architecture.to_json(),
        "data": data.sha256,
    }
    step = Step("import", student / "metrics.json", inputs)
    if done := finished_training(run, step):
        return done
    run.set_task(classifier.task)
    _set_architecture(run, published.architecture)
    with run.reporter.step(step.title, 1) as bar:
        step.marker.unlink(missing_ok=True)
        save_classifier(classifier, student)
        keep_samples(run, data, classifier.task)
        bar.advance()
    return step.finish(
        {"parameters": classifier.parameters, "sha256": classifier_hash(str(student))}
    )


def _set_architecture(run: Run, architecture: Architecture) -> None:
    """As search would leave it, with search's own budget."""
    path = run.path(ARCHITECTURE)
    if path.is_file() and not run.force and read_architecture(run) != architecture:
        raise OptionError(
            f"{path}: this run is for another architecture; use another --run, or --force"
        )
    budget: Budget = SearchSettings().budget()
    write_json(path, {"architecture": architecture.to_json(), "budget": budget.to_json()})
