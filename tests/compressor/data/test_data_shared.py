from __future__ import annotations

from pathlib import Path

import pytest

from codewren.data import Fields, read_examples

SHARED = Path(__file__).parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"real data sets are not there: {SHARED}"
)


def test_devign() -> None:
    data = read_examples(SHARED / "devign/test_public.jsonl.gz", Fields(), None, require_label=True)
    assert (len(data.examples), data.labels, data.lines[-1]) == (1366, ("0", "1"), 1366)
    assert sum(example.label or 0 for example in data.examples) == 620


def test_bigclonebench() -> None:
    folder = SHARED / "bigclonebench"
    fields = Fields(id1="id1", id2="id2", label="label", functions=folder / "functions.jsonl.gz")
    data = read_examples(folder / "test_public.jsonl.gz", fields, ("0", "1"), require_label=True)
    assert len(data.examples) == 1022
    assert all(example.text2 for example in data.examples)


def test_code_jam_authors() -> None:
    fields = Fields(text="code", label="label")
    data = read_examples(SHARED / "gcj/valid.jsonl.gz", fields, None, require_label=True)
    assert (len(data.examples), len(data.labels)) == (132, 66)
