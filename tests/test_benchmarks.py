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


def test_renaming_breaks_no_real_function(shared: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, BENCHMARKS / "rewriting.py", "--quick", "--out", tmp_path], check=True
    )
    for row in json.loads((tmp_path / "rewriting.json").read_text())["sets"].values():
        assert row["broken"] == 0
        assert row["with_names"] > 0.75 * row["functions"]


def test_latency_runs_and_the_report_has_every_contestant(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    run = [sys.executable, BENCHMARKS / "latency.py", "--quick", "--out", tmp_path]
    subprocess.run([*run, "--models", missing], check=True)
    data = json.loads((tmp_path / "latency.json").read_text())
    rows = data["contestants"]
    assert len(rows) == 8
    assert all(row["cpu_ms"]["p95"] >= row["cpu_ms"]["p50"] > 0 for row in rows.values())
    assert {line["peer"] for line in data["compared"]} == set(rows) - set(data["students"])
    assert (tmp_path / "latency.png").stat().st_size > 0
    report = tmp_path / "REPORT.md"
    write = [sys.executable, BENCHMARKS / "report.py", "--results", tmp_path, "--out", report]
    subprocess.run(write, check=True)
    text = report.read_text()
    assert all(name in text for name in rows)
    assert "A reduced run" in text
    assert "Not run." in text
