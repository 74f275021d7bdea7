"""A tiny model in a folder of transformers', and sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from codewren_runtime.types import Architecture, Task


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of 32 with random weights, and their tokenizer."""
    from codewren_distill.classifier import save_classifier
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import train_tokenizer

    task = Task("tiny", "single", ("no", "yes"))
    shape = Architecture(300, 32, 2, 2, 32, 64)
    tokenizer = train_tokenizer(["int a = 1;"], shape.vocab_size, task.normalisation)
    folder = tmp_path_factory.mktemp("a checkpoint")
    save_classifier(build_student(shape, task, tokenizer, seed=0), folder)
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Three functions of two languages."""
    root = tmp_path / "some sources"
    root.mkdir()
    (root / "a.c").write_text("int one(void) { return 1; }\nint two(int a) { return a + 2; }\n")
    (root / "b.py").write_text("def three(x):\n    return x * 3\n")
    return root
