from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.budget import Budget, parse_size
from codewren_runtime.errors import OptionError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("3MB", 3_000_000),
        ("2.5MB", 2_500_000),
        ("850kB", 850_000),
        ("3000000", 3_000_000),
        (" 3 mb ", 3_000_000),
        ("12b", 12),
        ("1GB", 1_000_000_000),
        ("3_000_000", 3_000_000),
    ],
)
def test_sizes_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "3MiB", "-3MB", "0", "0.0MB", "1.5", "1e6", "3 M B", "٣MB", "9" * 5000]
)
def test_other_sizes_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_size(text)
    assert "\n" not in str(caught.value)


@given(st.integers(1, 10**15))
def test_every_number_of_bytes_can_be_written(size: int) -> None:
    assert parse_size(str(size)) == size


@pytest.mark.parametrize(
    ("size", "bits"), [(0, 8), (-1, 8), (1.5, 8), (True, 8), (10, 4), (10, True)]
)
def test_a_budget_that_is_none_is_refused(size: object, bits: object) -> None:
    with pytest.raises(OptionError, match="budget"):
        Budget(size, bits)  # type: ignore[arg-type]


def test_a_budget_survives_json() -> None:
    budget = Budget(3_000_000, 16)
    assert Budget.from_json(budget.to_json()) == budget
    with pytest.raises(OptionError):
        Budget.from_json({"size_bytes": 1})


def test_a_budget_of_a_version_that_knew_no_latency_is_read() -> None:
    assert Budget.from_json({"size_bytes": 1000, "bits": 8}) == Budget(1000, 8)
