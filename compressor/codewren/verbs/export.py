"""export: the student as one quantized bundle, through its gates."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from codewren.budget import Budget, parse_size
from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.search import ARCHITECTURE, read_architecture
from codewren_runtime.errors import OptionError
from codewren_runtime.files import file_sha256, read_json
from codewren_runtime.types import Example

if TYPE_CHECKING:
    from codewren_export import Quant

__all__ = ["BUNDLE", "export", "exported"]

BUNDLE, EXPORT = "model.wren", "export.json"
QUANT_OF_BITS: dict[int, Quant] = {8: "int8", 16: "fp16", 32: "fp32"}


def exported(run: Run) -> Path | None:
    """The bundle that the last export finished; None if there is none, or it was changed."""
    bundle, marker = run.path(BUNDLE), run.path(EXPORT)
    if not (bundle.is_file() and marker.is_file()):
        return None
    return bundle if read_json(marker).get("sha256") == file_sha256(bundle) else None


def export(
    run: Run,
    size: str | None = None,
    quant: Quant | Literal["auto"] | None = None,
    samples: Dataset | None = None,
) -> dict[str, Any]:
    """Write `run/model.wren` and `run/export.json`.

    `size` and `quant` are the search's by default. The gates are measured on `samples`, by
    default on those that distill kept.
    """
    from codewren_distill.classifier import load_classifier
    from codewren_distill.models import SiameseModel
    from codewren_distill.teachers import classifier_hash
    from codewren_export import STAGES, Exportable, export_bundle

    folder = run.path("student")
    if not (folder / "metrics.json").is_file():
        raise OptionError(f"{folder}: no finished student there; run distill first")
    architecture = read_architecture(run)
    budget = Budget.from_json(read_json(run.path(ARCHITECTURE))["budget"])
    if size is not None:
        budget = replace(budget, size_bytes=parse_size(size))
    kept = folder / "samples.jsonl"
    chosen = quant or QUANT_OF_BITS[budget.bits]
    inputs = {
        "student": classifier_hash(str(folder)),
        "samples": samples.sha256 if samples else file_sha256(kept),
        "size_budget": budget.size_bytes,
        "quant": chosen,
    }
    step = Step("export", run.path(EXPORT), inputs)
    bundle = run.path(BUNDLE)
    if exported(run) and (done := run.finished(step)):
        return done
    step.marker.unlink(missing_ok=True)  # an older bundle is no longer the student's
    student = load_classifier(folder, attention="eager")
    head = student.model.head if isinstance(student.model, SiameseModel) else None
    exportable = Exportable(
        task=student.task,
        architecture=architecture,
        kind="sequence" if head is None else "siamese",
        model=student.core,
        head=head,
        tokenizer_json=(folder / "tokenizer.json").read_text(encoding="utf-8"),
        sample_texts=samples.examples if samples else _kept(kept),
        pooling="mean" if head is None else head.pooling,
        provenance=inputs,
    )
    with run.reporter.step(step.title, len(STAGES)) as bar:
        report = export_bundle(
            exportable,
            bundle,
            quant=chosen,
            size_budget=budget.size_bytes,
            on_stage=lambda name: bar.advance(1, name),
        )
    return step.finish(asdict(report) | {"sha256": file_sha256(bundle)})


def _kept(path: Path) -> list[Example]:
    return [Example(*json.loads(line)) for line in path.read_text().splitlines()]
