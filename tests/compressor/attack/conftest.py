"""A small labelled set of C functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from codewren_runtime import load

NAMES = ("len", "size", "buf", "ptr", "ctx", "node", "head", "tail", "best", "last")
FUNCTIONS = [
    f"int f{i}(struct s *{a}, int {b})\n{{\n  int {c} = {b} * {i};\n"
    f"  return {a}->field + {c};\n}}\n"
    for i, (a, b, c) in enumerate(
        zip(NAMES, NAMES[3:] + NAMES[:3], NAMES[5:] + NAMES[:5], strict=True)
    )
] + ["int broken( {"]


@pytest.fixture
def labelled(wren: Callable[[str], Path], tmp_path: Path) -> Path:
    """Rows that the single-text bundle answers rightly, but for the last; with substitutes."""
    model = load(wren("single"))
    labels = [model.labels.index(model.predict(text).label) for text in FUNCTIONS]
    labels[-2] = (labels[-2] + 1) % 3
    rows = [
        {
            "func": text,
            "target": label,
            "idx": 7 * i,
            "substitutes": {n: ["x1", *NAMES] for n in NAMES},
        }
        for i, (text, label) in enumerate(zip(FUNCTIONS, labels, strict=True))
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def pairs(wren: Callable[[str], Path], tmp_path: Path) -> Path:
    """Pairs that the pair bundle answers rightly."""
    model = load(wren("pair"))
    rows = [
        {"a": one, "b": other, "target": model.labels.index(model.predict_pair(one, other).label)}
        for one, other in zip(FUNCTIONS[:4], FUNCTIONS[4:8], strict=True)
    ]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
