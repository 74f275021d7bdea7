from __future__ import annotations

import argparse
import inspect
import subprocess
import tarfile
from pathlib import Path

import pytest

from codewren.budget import Bits
from codewren.search import predict_bytes
from codewren_runtime.types import Architecture, Example, Task, TaskKind

# Real code that is there wherever Python is.
CORPUS = [inspect.getsource(module) for module in (argparse, inspect, subprocess, tarfile)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "kind", "labels", "bits"),
    [
        (Architecture(1000, 96, 2, 8, 64, 128), "single", 2, 8),
        (Architecture(1000, 96, 1, 1, 256, 64), "single", 5, 32),
        (Architecture(2000, 128, 3, 4, 96, 64), "pair", 2, 8),
        (Architecture(1000, 64, 2, 2, 320, 400), "pair", 3, 16),
        (Architecture(1500, 144, 4, 8, 64, 128, 64, 2), "single", 2, 8),
        (Architecture(1000, 96, 2, 2, 64, 128), "embedding", 0, 8),
    ],
)
def test_predicted_bytes_are_those_of_the_real_bundle_and_on_the_safe_side(
    tmp_path: Path, architecture: Architecture, kind: TaskKind, labels: int, bits: Bits
) -> None:
    import torch

    from codewren_distill.classifier import load_classifier, save_classifier
    from codewren_distill.models import SiameseModel
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import train_tokenizer
    from codewren_export import Exportable, export_bundle

    tokenizer = train_tokenizer(CORPUS, architecture.vocab_size, "structure")
    task = Task("task", kind, tuple(f"label {i}" for i in range(labels)))
    fresh = build_student(architecture, task, tokenizer, seed=1)
    # The exporter stores equal tensors once, and of a fresh model all biases are zero.
    with torch.no_grad():
        for parameter in fresh.model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    save_classifier(fresh, tmp_path / "student")
    student = load_classifier(tmp_path / "student", attention="eager")
    siamese = isinstance(student.model, SiameseModel)
    texts = ("int f() { return 1; }", "x = 1") if siamese else ("int f() { return 1; }",)
    report = export_bundle(
        Exportable(
            task=task,
            architecture=architecture,
            kind="siamese" if siamese else "sequence" if kind == "single" else "embedding",
            model=student.core,
            head=student.model.head if isinstance(student.model, SiameseModel) else None,
            tokenizer_json=tokenizer,
            sample_texts=[Example(*texts)],
        ),
        tmp_path / "model.wren",
        quant={8: "int8", 16: "fp16", 32: "fp32"}[bits],  # type: ignore[arg-type]
    )
    predicted = predict_bytes(architecture, kind, labels, bits)
    assert 1 <= predicted / report.size_bytes < 1.015
