"""Benchmarks still run: the smallest run of each that needs no data; no time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def test_the_search_benchmark_runs_and_finds_the_optimum(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, BENCHMARKS / "search.py", "--seeds", "1", "--out", tmp_path], check=True
    )
    rows = json.loads((tmp_path / "search.json").read_text())["budgets"]
    assert [row["codewren"]["at_optimum"] for row in rows] == [1] * 5
    assert [row["codewren"]["over_budget"] for row in rows] == [0] * 5


def test_rewriting_breaks_no_real_function(shared: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, BENCHMARKS / "rewriting.py", "--quick", "--out", tmp_path], check=True
    )
    for row in json.loads((tmp_path / "rewriting.json").read_text())["sets"].values():
        assert row["broken"] == row["broken_otherwise"] == 0
        assert row["with_names"] > 0.75 * row["functions"]
