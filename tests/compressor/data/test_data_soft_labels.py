"""Soft labels from a file: joined by id or content, and every row that cannot be is named."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.data import Dataset, Fields, read_examples
from codewren.data.soft_labels import FLOOR, read_soft_labels
from codewren_distill.soft_labels import example_key
from codewren_runtime.errors import DataError

LABELS = ("safe", "vulnerable")
ROWS = [{"func": f"int f{i}(void) {{ }}", "idx": i} for i in range(3)]
SOFT = [{"id": i, "logits": [i, -1.5]} for i in range(3)]


def _write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _data(folder: Path, rows: Sequence[object] = ROWS, key: str | None = "idx") -> Dataset:
    path = _write(folder / "data.jsonl", rows)
    return read_examples(path, Fields(label=None, id=key), None, require_label=False)


def test_rows_are_joined_by_id_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "soft.jsonl.gz"
    lines = "".join(json.dumps(row) + "\n" for row in reversed(SOFT))
    path.write_bytes(gzip.compress(lines.encode()))
    logits = read_soft_labels(path, _data(tmp_path), LABELS)
    assert logits.tolist() == [[0, -1.5], [1, -1.5], [2, -1.5]]
    assert logits.dtype == np.float32


def test_rows_are_joined_by_content(tmp_path: Path) -> None:
    data = _data(tmp_path, key=None)
    assert data.ids == ()
    soft = [
        {"sha256": example_key(example).hex(), "logits": {"vulnerable": at, "safe": 7}}
        for at, example in enumerate(data.examples)
    ]
    logits = read_soft_labels(_write(tmp_path / "s", soft), data, LABELS)
    assert logits.tolist() == [[7, 0], [7, 1], [7, 2]]


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6))
def test_probabilities_become_logits_whose_softmax_they_are(weights: list[float]) -> None:
    import tempfile

    shares = [weight / sum(weights) for weight in weights]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        soft = _write(folder / "s", [{"id": 0, "probabilities": shares}])
        logits = read_soft_labels(
            soft, _data(folder, ROWS[:1]), [f"l{i}" for i in range(len(shares))]
        )
    assert np.exp(logits[0]) / np.exp(logits[0]).sum() == pytest.approx(shares, rel=1e-5)


def test_a_probability_of_nought_is_floored(tmp_path: Path) -> None:
    soft = _write(tmp_path / "s", [{"id": 0, "probabilities": [1, 0.0]}])
    logits = read_soft_labels(soft, _data(tmp_path, ROWS[:1]), LABELS)
    assert logits[0].tolist() == pytest.approx([0, math.log(FLOOR)])


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"id": 0, "logits": [1, float("nan")]}, "hold nan, which is not finite"),
        ({"id": 0, "logits": [1, float("inf")]}, "hold inf, which is not finite"),
        ({"id": 0, "logits": [1, 10**400]}, "not finite"),
        ({"id": 0, "logits": [1, 1e39]}, "not finite"),
        ({"id": 0, "logits": [1, True]}, "hold true, not a number"),
        ({"id": 0, "logits": [1, None]}, "hold null, not a number"),
        ({"id": 0, "logits": [1, 2, 3]}, "3 logits for 2 labels ('safe', 'vulnerable')"),
        ({"id": 0, "logits": 3}, "logits are 3"),
        ({"id": 0, "logits": {"safe": 1, "bad": 2}}, "logits are of 'bad', 'safe', the task's"),
        ({"id": 0, "probabilities": [0.5, 0.4]}, "sum to 0.9, not to 1"),
        ({"id": 0, "probabilities": [1.5, -0.5]}, "not between 0 and 1"),
        ({"id": 0, "probabilities": [float("nan"), 1]}, "not finite"),
        ({"id": 0, "probabilities": [0.5, 0.5], "logits": [0, 0]}, "both logits and prob"),
        ({"id": 0}, "no logits or probabilities"),
        ({"id": 9, "logits": [1, 2]}, "id '9' is no row of"),
        ({"id": 1, "logits": [1, 2]}, "'1' occurs twice"),
        ({"sha256": "0", "logits": [1, 2]}, "no field 'id'"),
        ({"id": [], "logits": [1, 2]}, "not an id"),
        (7, "not a JSON object"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, row: object, says: str) -> None:
    soft = _write(tmp_path / "soft.jsonl", [*SOFT[1:], row])
    with pytest.raises(DataError) as caught:
        read_soft_labels(soft, _data(tmp_path), LABELS)
    assert str(caught.value).startswith(f"{soft}:3: ")
    assert says in str(caught.value)
    assert " — " in str(caught.value)


def test_a_data_row_without_a_soft_label_is_named(tmp_path: Path) -> None:
    soft, data = _write(tmp_path / "s", SOFT[:2]), _data(tmp_path)
    with pytest.raises(DataError, match=r"data\.jsonl:3: id '2' has no soft label in .* — "):
        read_soft_labels(soft, data, LABELS)


def test_one_code_has_one_soft_label(tmp_path: Path) -> None:
    soft = _write(tmp_path / "s", SOFT)
    data = _data(tmp_path, [*ROWS[:2], {**ROWS[0], "idx": 2}])
    with pytest.raises(DataError, match=r"data\.jsonl:3: holds the code of line 1 with another"):
        read_soft_labels(soft, data, LABELS)
    with pytest.raises(DataError, match="id '0' occurs twice with different code"):
        _data(tmp_path, [*ROWS, {**ROWS[1], "idx": 0}])


def test_ids_change_no_identity_of_the_data(tmp_path: Path) -> None:
    assert _data(tmp_path).sha256 == _data(tmp_path, key=None).sha256
