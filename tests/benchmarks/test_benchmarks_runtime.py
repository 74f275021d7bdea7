"""Benchmarks still run, those of time and bytes: the smallest run of each; no time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .running import BENCHMARKS, read, report, run

MODEL = BENCHMARKS.parent / "models" / "vulnerability-c.wren"


def test_the_search_benchmark_runs_and_finds_the_optimum(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, BENCHMARKS / "search.py", "--seeds", "1", "--out", tmp_path], check=True
    )
    rows = json.loads((tmp_path / "search.json").read_text())["budgets"]
    assert [row["codewren"]["at_optimum"] for row in rows] == [1] * 5
    assert [row["codewren"]["over_budget"] for row in rows] == [0] * 5


def test_latency_of_all_contestants(tmp_path: Path) -> None:
    run("latency.py", "--quick", "--models", tmp_path / "none", "--out", tmp_path)
    data = read(tmp_path)["latency"]
    rows = data["contestants"]
    assert len(rows) == 8
    assert all(row["cpu_ms"]["p95"] >= row["cpu_ms"]["p50"] > 0 for row in rows.values())
    assert {line["peer"] for line in data["compared"]} == set(rows) - set(data["students"])
    text = report(tmp_path)
    assert all(name in text for name in rows)
    assert "A reduced run" in text
    assert "Not run." in text


def test_where_time_goes_and_how_cost_grows(tmp_path: Path) -> None:
    run("where_time_goes.py", "--quick", "--out", tmp_path)
    run("scaling.py", "--quick", "--out", tmp_path)
    found = read(tmp_path)
    assert set(found["scaling"]["series"]) >= {"functions", "layers", "hidden size"}
    for model in found["where_time_goes"]["models"].values():
        assert 0 < model["bound_ms"] < model["whole_ms"]
        assert model["stages_ms"]["attention kernel"] > 0
        assert model["stages_ms"]["feed-forward"] > 0
    assert "times the bound" in report(tmp_path)


def test_cold_start_and_size(tmp_path: Path) -> None:
    run("coldstart.py", "--quick", "--out", tmp_path)
    run("size.py", "--models", tmp_path / "none", "--out", tmp_path)
    found = read(tmp_path)
    assert (
        found["coldstart"]["processes"]["vulnerability-c: first prediction"]["cpu_ms"]["median"] > 0
    )
    for row in found["size"]["rows"].values():
        assert 0 < row["needed_bytes"] < row["with_dependencies_bytes"]
    assert "with all that those require" in report(tmp_path)


def test_predicted_latency(tmp_path: Path) -> None:
    run("latency_model.py", "--quick", "--out", tmp_path)
    found = read(tmp_path)["latency_model"]
    assert found["search_3MB_5ms"]["bytes"] <= 3_000_000
    assert found["search_3MB_5ms"]["cpu_ms_median"] > 0
    assert "not seen" in report(tmp_path)


def test_threads_and_memory(tmp_path: Path) -> None:
    for script, counts in (("throughput", ("--repetitions", 1)), ("soak", ("--predictions", 100))):
        run(f"{script}.py", MODEL, *counts, "--out", tmp_path / f"{script}.json")
    ways = json.loads((tmp_path / "throughput.json").read_text())["each_function"]
    assert all(row["cpu_ms"] > 0 for row in ways.values())
    assert json.loads((tmp_path / "soak.json").read_text())["times_that_answers_changed"] == 0


def test_memory_is_measured_stage_by_stage(tmp_path: Path) -> None:
    run("memory.py", "--quick", "--out", tmp_path)
    none, some = json.loads((tmp_path / "memory.json").read_text())["rows"]
    assert list(none["megabytes"]) == ["start", "peak"]
    stages = ["start", "read", "vocabulary", "label", "soft labels", "distill", "peak"]
    assert list(some["megabytes"]) == stages
    assert some["megabytes"]["peak"] >= some["megabytes"]["read"]
