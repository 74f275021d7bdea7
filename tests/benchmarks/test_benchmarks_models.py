"""Benchmarks still run, those of models: the smallest run of each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .running import BENCHMARKS, read, report, run


def test_rewriting_breaks_no_real_function(shared: Path, tmp_path: Path) -> None:
    run("rewriting.py", "--quick", "--out", tmp_path)
    for row in json.loads((tmp_path / "rewriting.json").read_text())["sets"].values():
        assert row["broken"] == row["broken_otherwise"] == 0
        for kind in ("order", "loops"):
            assert row[kind]["broken"] == 0
            assert row[kind]["functions_with_places"] > 0.1 * row["functions"]
        assert row["with_names"] > 0.75 * row["functions"]


def test_published_students_answer_as_they_did(shared: Path, tmp_path: Path) -> None:
    run("published.py", "--rows", 40, "--out", tmp_path)
    for row in json.loads((tmp_path / "published.json").read_text())["students"].values():
        assert row["rows"] == 40
        assert row["same_label"] >= 39
        assert row["original"] > 0.4
    assert "same label" in report(tmp_path)


def test_attacks_are_fed_back_into_distillation(shared: Path, tmp_path: Path) -> None:
    run("hardening.py", "--quick", "--runs", tmp_path / "runs", "--out", tmp_path)
    arms = json.loads((tmp_path / "hardening.json").read_text())["arms"]
    assert list(arms) == ["base", "copies", "adversarial", "both", "nameless"]
    assert arms["base"]["cost"]["all"] == [0.0]
    taught = {name: tmp_path / "runs" / "0" / f"taught {name}.jsonl" for name in list(arms)[1:4]}
    rows = {name: path.read_text().splitlines() for name, path in taught.items()}
    assert len(rows["both"]) == len(rows["copies"]) + len(rows["adversarial"]) - 200
    assert any("rewritten_from" in json.loads(row) for row in rows["adversarial"])
    assert "points lost" in report(tmp_path)


def test_code_beyond_the_window_by_each_policy(shared: Path, tmp_path: Path) -> None:
    run("long_inputs.py", "--quick", "--out", tmp_path)
    models = json.loads((tmp_path / "long_inputs.json").read_text())["models"]
    assert [row["policy"] for row in models["clones-java"]] == ["truncate"] * 2 + ["split-mean"] * 2
    for rows in models.values():
        everything, long = rows[0], rows[1]
        assert 0 < long["rows"] < everything["rows"]
        assert all(0.4 < row["accuracy"] <= 1 for row in rows)
    assert "split-max" in report(tmp_path)


def test_quality_of_a_recipe_beside_the_sceptics(shared: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, BENCHMARKS / "quality.py", "--quick", "--seeds", "2", "--tasks",
         "authorship", "--runs", tmp_path / "runs", "--out", tmp_path / "out"],
        check=True, cwd=shared.parent,
    )  # fmt: skip
    task = json.loads((tmp_path / "out/quality.json").read_text())["tasks"]["authorship"]
    rows = {row["model"].split(":")[0]: row for row in task["models"]}
    assert {"majority", "TF-IDF linear", "teacher", "control", "student, distilled"} <= rows.keys()
    assert rows["bundle, int8"]["bytes"] <= 3_000_000
    assert len(rows["teacher"]["accuracy_all"]) == 2
    assert rows["teacher"]["accuracy"] > rows["majority"]["accuracy"]
    assert (tmp_path / "out/quality.png").stat().st_size > 0


def test_pretraining_and_states_beside_their_controls(shared: Path, tmp_path: Path) -> None:
    run("pretraining.py", "--quick", "--seeds", 1, "--variants", "token types", "hidden states",
        "--runs", tmp_path / "runs", "--out", tmp_path)  # fmt: skip
    variants = read(tmp_path)["pretraining"]["variants"]
    assert set(variants) == {"token types", "hidden states"}
    (pretrained,) = variants["token types"]["pretraining"]
    assert pretrained["loss"] > 0
    assert 0 <= pretrained["kind_accuracy"] <= 1
    assert all(0 <= row["valid accuracy"]["mean"] <= 100 for row in variants.values())
    assert "token types" in report(tmp_path)


def test_an_ablation_goes_on_where_it_was(shared: Path, tmp_path: Path) -> None:
    arguments = ("--quick", "--seeds", 1, "--arms", "int4", "--runs", tmp_path / "runs")
    run("ablation.py", *arguments, "--out", tmp_path / "one")
    arms = read(tmp_path / "one")["ablation"]["arms"]
    assert set(arms) == {"base", "int4, rounded", "int4, trained for it"}
    trained = arms["int4, trained for it"]
    assert trained["passed"] == 1
    assert trained["lost_at_export"]["all"] == [0.0]
    assert trained["bytes"] < arms["base"]["bytes"]
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*.safetensors")}
    run("ablation.py", *arguments, "--out", tmp_path / "two")
    assert read(tmp_path / "two")["ablation"]["arms"] == arms
    assert made == {path: path.stat().st_mtime_ns for path in made}
    assert "int4, trained for it" in report(tmp_path / "two")


def test_code_search_is_measured_from_end_to_end(tmp_path: Path) -> None:
    run("code_search.py", "--quick", "--out", tmp_path)
    data = json.loads((tmp_path / "code_search.json").read_text())
    assert data["rows"]["train"] == 64
    assert [name.split(",")[0].split(":")[0] for name in data["mean"]] == [
        "TF-IDF cosine", "teacher", "control", "student", "bundle",
    ]  # fmt: skip
