"""The benchmarks of training and of teachers at their smallest: what they write, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .running import report, run


def test_teachers_label_what_they_did_not_see(shared: Path, tmp_path: Path) -> None:
    arguments = ("--quick", "--task", "vulnerability", "--runs", tmp_path / "runs")
    run("teachers.py", *arguments, "--teacher", "n-grams", "--out", tmp_path)
    assert not (tmp_path / "teachers.json").exists()
    answers = tmp_path / "runs" / "vulnerability" / "answers"
    stamps = {path: path.stat().st_mtime_ns for path in answers.iterdir()}
    assert {path.name for path in stamps} == {
        "n-grams-whole.st",
        "n-grams-folds.st",
        "n-grams.json",
    }
    run("teachers.py", *arguments, "--student", "encoder", "--out", tmp_path)
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}  # not made again
    found = json.loads((tmp_path / "teachers.json").read_text())["tasks"]["vulnerability"]
    assert list(found["teachers"]) == ["n-grams", "from scratch", "pre-trained", "ensemble"]
    assert {"labels", "n-grams, folds", "ensemble, more rows"} <= set(found["students"]["encoder"])
    assert "from scratch" in report(tmp_path)


@pytest.mark.slow
def test_training_on_a_gpu_is_measured_arm_by_arm(tmp_path: Path) -> None:
    """A GPU is not needed: small models train on any machine, and it says so."""
    run("gpu_speed.py", "--quick", "--out", tmp_path)
    data = json.loads((tmp_path / "gpu_speed.json").read_text())
    student = ["student-16-plain", "student-16-layers", "student-16-whole"]
    assert sorted(data["arms"]) == sorted([*student, "teacher-4-plain"])
    for name, row in data["arms"].items():
        assert ("published" in row) == (name in student)
        for loop in (row[loop] for loop in ("published", "codewren") if loop in row):
            assert loop["functions_per_second"]["median"] > 0
            assert loop["utilisation"] > 0
    if data["device"]["gpu"] is None:
        assert "no GPU" in data["note"]
    assert "student-16-layers: codewren" in report(tmp_path)


def test_an_arm_without_time_is_named_and_loses_no_other(tmp_path: Path) -> None:
    run("gpu_speed.py", "--quick", "--least", 1_000, "--out", tmp_path)
    data = json.loads((tmp_path / "gpu_speed.json").read_text())
    assert {row["failed"] for row in data["arms"].values()} == {"no time was left"}
    assert "student-16-plain: no time was left" in report(tmp_path)
