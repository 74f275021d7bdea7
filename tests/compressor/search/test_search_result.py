from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren import search as package
from codewren.budget import Budget
from codewren.search import (
    Candidate,
    Certificate,
    GenerationRecord,
    GeneticSettings,
    SearchResult,
    enumerate_space,
    load_space,
    plot_search,
    search,
)
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture

counts = st.integers(0, 2**62)
figures = st.floats(0, 1e9)
records = st.builds(
    GenerationRecord, counts, counts, counts, st.floats(0, 1), st.none() | counts,
    st.none() | figures, st.none() | counts,
)  # fmt: skip
candidates = st.builds(
    Candidate,
    st.builds(Architecture, st.just(1000), st.sampled_from([8, 16]), st.integers(1, 12),
              st.sampled_from([1, 8]), counts.map(lambda n: n + 1)),
    counts, counts, counts, counts, st.none() | figures,
    st.sampled_from([(), ("size",), ("size", "latency")]),
)  # fmt: skip
results = st.builds(
    SearchResult,
    st.lists(candidates, min_size=1, max_size=3).map(tuple),
    st.text(min_size=1),
    st.text(),
    st.builds(
        Budget,
        st.integers(1, 10**12),
        st.sampled_from([8, 16, 32]),
        st.none() | st.floats(0.001, 1e6),
    ),
    st.sampled_from(["codewren", "paper"]),
    st.sampled_from(["flops", "executed", "parameters"]),
    st.sampled_from(["single", "pair"]),
    st.integers(2, 100),
    counts,
    st.none() | counts,
    st.none() | st.dictionaries(st.text(), counts),
    st.none() | st.builds(Certificate, counts, counts),
    st.lists(records, max_size=3).map(tuple),
)


@given(results)
def test_a_result_survives_json(result: SearchResult) -> None:
    assert SearchResult.from_json(json.loads(json.dumps(result.to_json()))) == result


def real() -> SearchResult:
    settings = GeneticSettings(population=8, generations=5, reach=1)
    return search(load_space("small"), Budget(1_000_000), "single", 2, settings)


def test_fields_of_others_are_not_looked_at() -> None:
    result = real()
    assert SearchResult.from_json({**result.to_json(), "inputs": "abc"}) == result


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("candidates", []),
        ("candidates", [{}]),
        ("candidates", 3),
        ("architecture", {}),
        ("budget", None),
        ("history", [{"generation": 0}]),
        ("certificate", {"feasible": 1}),
    ],
)
def test_a_damaged_result_is_an_error_of_one_line(field: str, value: object) -> None:
    with pytest.raises(OptionError) as caught:
        SearchResult.from_json({**real().to_json(), field: value})
    assert "\n" not in str(caught.value)


def test_a_missing_field_is_named() -> None:
    data = real().to_json()
    del data["budget"]
    with pytest.raises(OptionError, match="'budget' is missing"):
        SearchResult.from_json(data)


def test_plots_are_written_as_png_and_svg(tmp_path: Path) -> None:
    png, svg = plot_search(real(), tmp_path / "new" / "search.png")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in svg.read_bytes()
    assert sorted(p.name for p in png.parent.iterdir()) == ["search.png", "search.svg"]


def test_an_enumeration_has_a_plot_too(tmp_path: Path) -> None:
    result = enumerate_space(load_space("small"), Budget(1_000_000), "single", 2)
    assert plot_search(result, tmp_path / "x")[0].is_file()


def test_everything_that_is_promised_is_there() -> None:
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)
