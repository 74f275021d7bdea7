"""export: the student as one quantized bundle, through its gates."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codewren.budget import parse_size
from codewren.data import Dataset
from codewren.run_directory import Run, Step, read_marker
from codewren.verbs.search import read_architecture, read_budget
from codewren_runtime.decision import LongInputs
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256
from codewren_runtime.types import Example

if TYPE_CHECKING:
    from codewren_export import Exportable, Quant

__all__ = ["BUNDLE", "ExportSettings", "export", "exported"]

BUNDLE, EXPORT, SAMPLES = "model.wren", "export.json", "samples.jsonl"
QUANT_OF_BITS: dict[int, Quant] = {8: "int8", 16: "fp16", 32: "fp32"}


def exported(run: Run) -> Path | None:
    """The bundle that the last export finished; None if there is none, or it was changed."""
    bundle, marker = run.path(BUNDLE), run.path(EXPORT)
    if not (bundle.is_file() and marker.is_file()):
        return None
    try:
        left = read_marker(marker)
    except OptionError:  # as a step's: what cannot be read is not believed
        return None
    return bundle if left.get("sha256") == file_sha256(bundle) else None


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """What ships, and how it answers.

    `size` and `quant` (a precision or "auto", see `codewren_export.quantise`) are the search's
    by default, but for a student that was trained for a precision; `threshold` is a criterion
    of `codewren_export.calibration`, `long_inputs` as in `codewren_runtime.decision`.
    """

    size: str | None = None
    quant: Quant | Literal["auto"] | None = None
    threshold: str = "0.5"
    long_inputs: LongInputs = "truncate"


def export(
    run: Run,
    settings: ExportSettings | None = None,
    validation: Dataset | None = None,
) -> dict[str, Any]:
    """Write `run/model.wren` and `run/export.json`.

    `validation` are labelled rows that no training saw: the gates are measured on them (by
    default on the texts that distill kept), and temperature and threshold are fitted to them.
    """
    from codewren_distill.teachers import classifier_hash
    from codewren_export import STAGES, export_bundle
    from codewren_export.calibration import parse_criterion

    settings = settings or ExportSettings()
    criterion = parse_criterion(settings.threshold)
    folder = run.path("student")
    if not (folder / "metrics.json").is_file():
        raise OptionError(f"{folder}: no finished student there; run distill first")
    budget = read_budget(run)
    if settings.size is not None:
        budget = replace(budget, size_bytes=parse_size(settings.size))
    samples = _samples(folder / SAMPLES)
    quant = settings.quant or _trained_for(folder) or QUANT_OF_BITS[budget.bits]
    inputs = {
        "student": classifier_hash(str(folder)),
        "samples": file_sha256(folder / SAMPLES),
        "size_budget": budget.size_bytes,
        "quant": quant,
        "answers": [str(criterion), settings.long_inputs],
        "validation": validation.sha256 if validation else None,
    }
    step = Step("export", run.path(EXPORT), inputs)
    bundle = run.path(BUNDLE)
    if exported(run) and (done := run.finished(step)):
        return done
    if not _is_of(step, inputs["student"]):
        step.marker.unlink(missing_ok=True)  # an older bundle is no longer the student's
    exportable = replace(
        _student(run, samples),
        provenance=inputs,
        threshold=criterion,
        long_inputs=settings.long_inputs,
    )
    if validation is not None:
        rows = validation.examples
        exportable = replace(exportable, sample_texts=rows, labelled=rows)
    with run.reporter.step(step.title, len(STAGES)) as bar:
        report = export_bundle(
            exportable,
            bundle,
            quant=quant,
            size_budget=budget.size_bytes,
            on_stage=lambda name: bar.advance(1, name),
        )
    return step.finish(asdict(report) | {"sha256": file_sha256(bundle)})


def _is_of(step: Step, student: object) -> bool:
    """Whether the last export was of this student: then it stands, should this one be refused."""
    try:
        left = read_marker(step.marker).get("inputs")
    except OptionError:
        return False
    return isinstance(left, dict) and left.get("student") == student


def _trained_for(student: Path) -> Quant | None:
    """The precision that distill rounded the weights to, if it did."""
    inputs = read_marker(student / "metrics.json").get("inputs", {})
    quant: Quant | None = inputs.get("settings", {}).get("qat")
    return quant


def _student(run: Run, samples: list[Example]) -> Exportable:
    """The run's student, to be checked on the samples."""
    from codewren_distill.classifier import load_classifier
    from codewren_distill.models import EmbeddingModel, SiameseModel
    from codewren_export import Exportable

    folder = run.path("student")
    student = load_classifier(folder, attention="eager")
    model = student.model
    head = model.head if isinstance(model, SiameseModel) else None
    embedding = isinstance(model, EmbeddingModel)
    pooling = model.pooling if isinstance(model, EmbeddingModel) else "mean"
    return Exportable(
        task=student.task,
        architecture=read_architecture(run),
        kind="embedding" if embedding else "sequence" if head is None else "siamese",
        model=student.core,
        head=head,
        tokenizer_json=(folder / "tokenizer.json").read_text(encoding="utf-8"),
        sample_texts=samples,
        pooling=pooling if head is None else head.pooling,
        ngrams=student.ngrams,
    )


def _samples(path: Path) -> list[Example]:
    """What distill kept of its data; OptionError in one line if it is not there, or damaged."""
    try:
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
        whole = all(isinstance(row, list) and len(row) in (1, 2) for row in rows)
    except (OSError, ValueError):
        whole = False
    if not whole or not all(isinstance(text, str) for row in rows for text in row):
        raise OptionError(
            f"{path}: missing or damaged; the bundle is checked on these texts: run distill, or "
            "import, with --force"
        )
    return [Example.of(row) for row in rows]
