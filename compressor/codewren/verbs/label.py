"""label: the teacher's soft labels on unlabelled code, cached."""

from __future__ import annotations

from typing import Any

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256
from codewren_runtime.types import Task

__all__ = ["label"]

SOFT_LABELS = "soft_labels.safetensors"


def label(
    run: Run, data: Dataset, task: Task, *, teacher: str | None = None, max_length: int = 400
) -> dict[str, Any]:
    """Write `run/soft_labels.safetensors` for `data`; the teacher is `run/teacher` by default."""
    from codewren_distill.labelling import label_examples
    from codewren_distill.teachers import classifier_hash, load_teacher

    name = teacher or str(run.path("teacher"))
    if teacher is None and not run.path("teacher/metrics.json").is_file():
        raise OptionError(
            f"{name}: no finished teacher there; run finetune, or name one with --teacher"
        )
    teacher_hash = classifier_hash(name)
    step = Step(
        "label",
        run.path("soft_labels.json"),
        {
            "data": data.sha256,
            "task": task.to_json(),
            "teacher": teacher_hash,
            "max_length": max_length,
        },
    )
    path, left = run.path(SOFT_LABELS), step.result()
    unchanged = left is not None and path.is_file() and file_sha256(path) == left["sha256"]
    if unchanged and (done := run.finished(step)):
        return done
    if run.force:
        path.unlink(missing_ok=True)
    classifier = load_teacher(name, task, max_length)
    run.set_task(task)
    with run.reporter.step(step.title, len(data.examples)) as bar:
        soft = label_examples(classifier, teacher_hash, data.examples, path, advance=bar.advance)
    matrix = soft.matrix(data.examples)
    shares = {
        name: float((matrix.argmax(1) == index).mean()) for index, name in enumerate(task.labels)
    }
    return step.finish(
        {"examples": len(data.examples), "predicted": shares, "sha256": file_sha256(path)}
    )
