from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.data import Dataset, Fields, labels, read_examples
from codewren.data.labels import KnownLabels, NewLabels, sorted_names
from codewren.data.problems import Problem
from codewren_runtime.errors import DataError


def data_of(folder: Path, *values: Any, **options: Any) -> Dataset:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps({"func": "f", "target": value}) + "\n" for value in values))
    return read_examples(path, Fields(), options.pop("names", None), require_label=True, **options)


def indices(data: Dataset) -> list[int | None]:
    return [example.label for example in data.examples]


@pytest.mark.parametrize(
    ("values", "names", "expected"),
    [
        ([1, 0, 1], ("0", "1"), [1, 0, 1]),
        ([10, 9, 2], ("2", "9", "10"), [2, 1, 0]),
        ([-1, 1], ("-1", "1"), [0, 1]),
        ([1.0, 0.0], ("0", "1"), [1, 0]),
        (["safe", "bug"], ("bug", "safe"), [1, 0]),
        (["10", "9"], ("9", "10"), [1, 0]),
        (["01", "1"], ("01", "1"), [0, 1]),
    ],
)
def test_names_are_found_and_sorted(
    tmp_path: Path, values: list[Any], names: tuple[str, ...], expected: list[int]
) -> None:
    data = data_of(tmp_path, *values)
    assert data.labels == names
    assert indices(data) == expected
    # The names found in one file read another the same way.
    assert indices(data_of(tmp_path, *values, names=names)) == expected


def test_given_names_may_be_written_as_indices_or_names(tmp_path: Path) -> None:
    assert indices(data_of(tmp_path, 1, "safe", 0.0, names=("safe", "bug"))) == [1, 0, 0]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2, r"label 2 is out of range 0\.\.1"),
        (-1, r"label -1 is out of range 0\.\.1"),
        (10**30, r"label 1000.* is out of range 0\.\.1"),
        ("Bug", r"label 'Bug' is not one of safe, bug"),
        ("1", r"label '1' is not one of safe, bug"),
    ],
)
def test_labels_that_the_task_lacks(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        data_of(tmp_path, value, names=("safe", "bug"))


def test_integer_names_are_names_in_any_order() -> None:
    known = KnownLabels(("1", "0"))
    assert [known.name(1), known.name("1"), known.name(0)] == ["1", "1", "0"]
    with pytest.raises(Problem):
        KnownLabels(("1", "2")).name(0)


def test_one_kind_of_label_in_a_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r":2: label is 'bug', but an integer in rows before"):
        data_of(tmp_path, 1, "bug")
    with pytest.raises(DataError, match=r":2: label is 1, but a name in rows before"):
        data_of(tmp_path, "bug", 1)


def test_a_label_of_bad_rows_only_is_no_label_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"func": "f", "target": 0}\n{"func": "", "target": 7}\n')
    data = read_examples(path, Fields(), None, require_label=True, skip_bad_rows=True)
    assert data.labels == ("0",)


def test_a_field_of_ids_is_not_taken_for_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "MAX_LABELS", 5)
    with pytest.raises(
        DataError, match=r":6: more than 5 different labels — name the label's field"
    ):
        data_of(tmp_path, *range(6))


def test_many_names_make_a_short_message() -> None:
    with pytest.raises(Problem) as caught:
        KnownLabels([f"author{n}" for n in range(66)]).name("nobody")
    assert caught.value.what.endswith("author5, …")


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=1, unique=True))
def test_integers_sort_by_number(values: list[int]) -> None:
    assert sorted_names(map(str, values)) == tuple(map(str, sorted(values)))


@settings(deadline=None)
@given(
    st.one_of(
        st.lists(st.integers(), min_size=1, max_size=9),
        st.lists(st.text("ab-01", min_size=1), min_size=1, max_size=9),
    )
)
def test_names_found_once_mean_the_same_when_given(values: list[int] | list[str]) -> None:
    new = NewLabels()
    names = [new.name(value) for value in values]
    known = KnownLabels(new.final(names))
    assert [known.name(value) for value in values] == names
