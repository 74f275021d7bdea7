"""export: the student as one quantized bundle, through its gates."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codewren.budget import Budget, parse_size
from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.search import ARCHITECTURE, read_architecture
from codewren_runtime.decision import LongInputs
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256, read_json
from codewren_runtime.types import Example

if TYPE_CHECKING:
    from codewren_export import Exportable

__all__ = ["BUNDLE", "ExportSettings", "export", "exported"]

BUNDLE, EXPORT, SAMPLES = "model.wren", "export.json", "samples.jsonl"


def exported(run: Run) -> Path | None:
    """The bundle that the last export finished; None if there is none, or it was changed."""
    bundle, marker = run.path(BUNDLE), run.path(EXPORT)
    if not (bundle.is_file() and marker.is_file()):
        return None
    return bundle if read_json(marker).get("sha256") == file_sha256(bundle) else None


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """How the bundle answers: see `codewren_export.calibration` and `codewren_runtime.decision`."""

    threshold: str = "0.5"
    long_inputs: LongInputs = "truncate"


def export(
    run: Run,
    size: str | None = None,
    bits: int | None = None,
    settings: ExportSettings | None = None,
    validation: Dataset | None = None,
) -> dict[str, Any]:
    """Write `run/model.wren` and `run/export.json`; size and bits are the search's by default.

    `validation` are labelled rows that no training saw: temperature and threshold are fitted
    on them.
    """
    from codewren_distill.teachers import classifier_hash
    from codewren_export import STAGES, export_bundle
    from codewren_export.calibration import parse_criterion

    settings = settings or ExportSettings()
    criterion = parse_criterion(settings.threshold)
    folder = run.path("student")
    if not (folder / "metrics.json").is_file():
        raise OptionError(f"{folder}: no finished student there; run distill first")
    budget = _budget(run, size, bits)
    inputs = {
        "student": classifier_hash(str(folder)),
        "samples": file_sha256(folder / SAMPLES),
        "budget": budget.to_json(),
        "answers": [str(criterion), settings.long_inputs],
        "validation": validation.sha256 if validation else None,
    }
    step = Step("export", run.path(EXPORT), inputs)
    bundle = run.path(BUNDLE)
    if exported(run) and (done := run.finished(step)):
        return done
    step.marker.unlink(missing_ok=True)  # an older bundle is no longer the student's
    exportable = replace(
        _student(run),
        provenance=inputs,
        labelled=validation.examples if validation else (),
        threshold=criterion,
        long_inputs=settings.long_inputs,
    )
    with run.reporter.step(step.title, len(STAGES)) as bar:
        report = export_bundle(
            exportable,
            bundle,
            bits=budget.bits,
            size_budget=budget.size_bytes,
            on_stage=lambda name: bar.advance(1, name),
        )
    return step.finish(asdict(report) | {"sha256": file_sha256(bundle)})


def _budget(run: Run, size: str | None, bits: int | None) -> Budget:
    budget = Budget.from_json(read_json(run.path(ARCHITECTURE))["budget"])
    if size is not None:
        budget = replace(budget, size_bytes=parse_size(size))
    if bits is not None:
        budget = replace(budget, bits=bits)  # type: ignore[arg-type]  # Budget checks it
    return budget


def _student(run: Run) -> Exportable:
    """The run's student and the samples beside it."""
    from codewren_distill.classifier import load_classifier
    from codewren_distill.models import SiameseModel
    from codewren_export import Exportable

    folder = run.path("student")
    student = load_classifier(folder, attention="eager")
    lines = (folder / SAMPLES).read_text().splitlines()
    head = student.model.head if isinstance(student.model, SiameseModel) else None
    return Exportable(
        task=student.task,
        architecture=read_architecture(run),
        kind="sequence" if head is None else "siamese",
        model=student.core,
        head=head,
        tokenizer_json=(folder / "tokenizer.json").read_text(encoding="utf-8"),
        sample_texts=[Example(*json.loads(line)) for line in lines],
        pooling="mean" if head is None else head.pooling,
    )
