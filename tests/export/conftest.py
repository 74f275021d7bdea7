"""Tiny students of any shape, with weights spread as training spreads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from codewren_distill.classifier import load_classifier, save_classifier
from codewren_distill.models import SiameseModel
from codewren_distill.settings import FreshStudent
from codewren_distill.student import build_student
from codewren_distill.vocabulary import train_tokenizer
from codewren_export import Exportable
from codewren_runtime.types import Architecture, Example, Task, TaskKind

CODES = [
    f"def {name}_{i}(items, limit):\n    total = {i}\n    for item in items{'[1:]' * (i % 3)}:\n"
    f"        total {sign}= item * {i} + len(items)\n    return total{' or limit' * (i % 5)}"
    for i in range(5)
    for name, sign in (("sum", "+"), ("spread", "-"), ("walk_all", "*"))
]
LABELS = ("no", "yes", "maybe")

PLAIN = FreshStudent()
MakeExportable = Callable[..., Exportable]


@pytest.fixture(scope="session")
def tokenizer_json() -> str:
    return train_tokenizer(CODES, 320, "structure")


@pytest.fixture(scope="session")
def exportable(tmp_path_factory: pytest.TempPathFactory, tokenizer_json: str) -> MakeExportable:
    def make(
        architecture: Architecture,
        kind: TaskKind,
        labels: tuple[str, ...] = LABELS,
        tokenizer_json: str = tokenizer_json,
        fresh: FreshStudent = PLAIN,
    ) -> Exportable:
        task = Task("tiny", kind, () if kind == "embedding" else labels)
        student = build_student(architecture, task, tokenizer_json, seed=1, fresh=fresh)
        generator = torch.Generator().manual_seed(2)
        for name, parameter in student.model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            spread = 0.1 if parameter.dim() == 1 else parameter.shape[-1] ** -0.5
            base = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            parameter.data.copy_(base + spread * noise)
        folder: Path = tmp_path_factory.mktemp("student")
        save_classifier(student, folder)
        loaded = load_classifier(folder, attention="eager")
        siamese = isinstance(loaded.model, SiameseModel)
        pairs = zip(CODES, [*CODES[1:], CODES[0]], strict=True)
        return Exportable(
            task=task,
            architecture=architecture,
            kind="siamese" if siamese else "sequence" if kind == "single" else "embedding",
            model=loaded.core,
            head=loaded.model.head if isinstance(loaded.model, SiameseModel) else None,
            tokenizer_json=tokenizer_json,
            sample_texts=[Example(a, b if siamese else None) for a, b in pairs],
            provenance={"teacher": "none"},
            ngrams=loaded.ngrams,
        )

    return make
