"""What tests of several verbs share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codewren.data import Dataset, Fields, read_examples


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Forty labelled functions; a test module with rows of its own has a fixture of this name."""
    rows = [{"func": f"int f{i}() {{ {'x' * (i % 4)}; }}", "target": i % 2} for i in range(40)]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_examples(path, Fields(), ("no", "yes"), require_label=True)
