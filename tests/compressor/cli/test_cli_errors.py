"""What a user can get wrong: each is one clear line on stderr and exit status 2."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from codewren.cli.app import main

ROWS = [{"func": f"int f{i}() {{ return {i}; }}", "target": i % 2} for i in range(8)]


def _jsonl(rows: Sequence[object]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def compress(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command in this process: a process of its own would import torch each time."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["compress", *arguments])
        try:
            main()
        except SystemExit as done:
            status = done.code if isinstance(done.code, int) else 0
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def refused(*arguments: str, cwd: Path) -> str:
    done = compress(*arguments, cwd=cwd)
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert not done.stdout
    return lines[0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "no rows"),
        (b"\x7fELF\x00\x00\x01", "binary"),
        (_jsonl([*ROWS, {"code": "x", "target": 0}]), ":9: "),
        (_jsonl([*ROWS, {"func": "x", "target": 2}]), ":9: "),
        (_jsonl(ROWS) + b"{half a row\n", ":9: "),
        (gzip.compress(_jsonl(ROWS))[:-20], "gzip"),
    ],
    ids=["missing", "empty", "binary", "no field", "label out of range", "no JSON", "cut gzip"],
)
def test_bad_data_names_file_and_row(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "da ta.jsonl"
    if content is not None:
        path.write_bytes(content)
    (tmp_path / "a.json").write_text(
        '{"vocab_size": 300, "hidden_size": 16, "num_layers": 1, "num_heads": 2,'
        ' "intermediate_size": 16, "max_length": 32}'
    )
    line = refused(
        "finetune",
        "--data",
        str(path),
        "--architecture",
        "a.json",
        "--labels",
        "safe,bad",
        cwd=tmp_path,
    )
    assert str(path) in line
    assert says in line
    assert not (tmp_path / "run" / "teacher").exists()


def test_a_budget_too_small_for_any_architecture(tmp_path: Path) -> None:
    line = refused("search", "--size", "10kB", cwd=tmp_path)
    assert "10,000" in line
    assert not (tmp_path / "run" / "architecture.json").exists()


@pytest.mark.parametrize("size", ["", "3 parsecs", "-1MB", "0"])
def test_a_size_that_is_none(tmp_path: Path, size: str) -> None:
    assert "size" in refused("search", f"--size={size}", cwd=tmp_path)


def test_an_unknown_teacher(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(_jsonl(ROWS))
    line = refused(
        "label", "--data", "d.jsonl", "--teacher", "nobody/nothing", "--labels", "a,b", cwd=tmp_path
    )
    assert "nobody/nothing" in line
    line = refused("finetune", "--data", "d.jsonl", "--checkpoint", "no/where", cwd=tmp_path)
    assert "no/where" in line


def test_verbs_out_of_order_say_what_comes_first(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(_jsonl(ROWS))
    assert "search first" in refused("distill", "--data", "d.jsonl", cwd=tmp_path)
    assert "distill first" in refused("export", cwd=tmp_path)
    assert "finetune" in refused("label", "--data", "d.jsonl", "--labels", "a,b", cwd=tmp_path)
    assert "finetune or label first" in refused("evaluate", "--data", "d.jsonl", cwd=tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="folders have other permissions there")
def test_a_run_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder is wanted")
    assert "cannot write" in refused("search", "--run", "file/run", cwd=tmp_path)
    if os.geteuid() != 0:  # root writes everywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        assert "cannot write" in refused("search", "--run", "locked/run", cwd=tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 not a zip", b"\x00" * 500])
def test_a_bundle_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / "a.c").write_text("int main() { return 0; }")
    if content is not None:
        (tmp_path / "m.wren").write_bytes(content)
    assert "m.wren" in refused("predict", "m.wren", "a.c", cwd=tmp_path)
    assert "m.wren" in refused("inspect", "m.wren", cwd=tmp_path)


def test_a_recipe_that_is_none(tmp_path: Path) -> None:
    assert "none.toml" in refused("run", "none.toml", cwd=tmp_path)
    (tmp_path / "r.toml").write_text("[teacher]\nepochs = 0\n")
    assert "r.toml" in refused("run", "r.toml", cwd=tmp_path)


@pytest.mark.parametrize("content", ["5", "[]", "null", "{}", "[" * 100_000])
def test_a_checkpoint_or_shape_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "d.jsonl").write_bytes(_jsonl(ROWS))
    (tmp_path / "x.json").write_text(content)
    for option in ("--checkpoint", "--architecture"):
        assert "x.json" in refused("finetune", "--data", "d.jsonl", option, "x.json", cwd=tmp_path)
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "config.json").write_text(content)
    assert "teacher" in refused(
        "label", "--data", "d.jsonl", "--teacher", "teacher", "--labels", "a,b", cwd=tmp_path
    )


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run" / "architecture.json").mkdir(parents=True)
    line = refused("search", "--size", "200kB", "--quiet", cwd=tmp_path)
    assert "architecture.json" in line
    assert "irectory" in line
    long = "x" * 5000
    assert "too long" in refused("distill", "--data", long, cwd=tmp_path)


def test_options_that_do_not_go_together(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(_jsonl(ROWS))
    line = refused("finetune", "--data", "d.jsonl", "--architecture", "none.json", cwd=tmp_path)
    assert "none.json" in line
    assert "--checkpoint or --architecture" in refused(
        "finetune", "--data", "d.jsonl", cwd=tmp_path
    )
    (tmp_path / "e.json").write_text('{"vocab_size": 10}')
    line = refused("finetune", "--data", "d.jsonl", "--architecture", "e.json", cwd=tmp_path)
    assert "e.json" in line


def test_bad_soft_labels_name_file_and_row(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_bytes(_jsonl(ROWS))
    soft = [{"id": row["func"], "probabilities": [0.25, 0.75]} for row in ROWS]
    soft[4] = {**soft[4], "probabilities": [0.25, 0.25]}
    (tmp_path / "soft.jsonl").write_bytes(_jsonl(soft))
    verb = ("label", "--data", "data.jsonl", "--soft-labels", "soft.jsonl", "--labels", "a,b")
    line = refused(*verb, "--id", "func", cwd=tmp_path)
    assert "soft.jsonl:5: probabilities sum to 0.5, not to 1 — " in line
    assert "soft.jsonl:1: no field 'sha256'" in refused(*verb, cwd=tmp_path)
    assert not (tmp_path / "run" / "soft_labels.json").exists()
    soft[4] = {**soft[4], "probabilities": [0.25, 0.75]}
    (tmp_path / "soft.jsonl").write_bytes(_jsonl(soft))
    done = compress(*verb, "--id", "func", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "8 examples, 0.0 % a, 100.0 % b" in done.stdout


def test_data_of_another_kind_than_the_model(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(_jsonl(ROWS))
    single = ("evaluate", "--data", "d.jsonl", "--bundle", "vulnerability-c")
    line = refused(*single, "--text1", "func", "--text2", "func", cwd=tmp_path)
    assert "judges one code at a time; name its field with --text" in line
    line = refused("evaluate", "--data", "d.jsonl", "--bundle", "clones-java", cwd=tmp_path)
    assert "compares two codes; name their fields with --text1" in line


def test_bench_looks_before_it_measures(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_bytes(_jsonl(ROWS))
    bench = ("bench", "vulnerability-c", "--data", "d.jsonl")
    line = refused(*bench, "--out", "d.jsonl", cwd=tmp_path)
    assert "d.jsonl: cannot write there" in line
    line = refused("bench", "no-model", "--data", "d.jsonl", "--out", "new", cwd=tmp_path)
    assert "no-model: no such file" in line
    assert not (tmp_path / "new").exists()


def test_what_no_model_can_learn_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_bytes(_jsonl([row | {"target": 0} for row in ROWS]))
    (tmp_path / "two.jsonl").write_bytes(_jsonl(ROWS))
    (tmp_path / "a.json").write_text(
        '{"vocab_size": 300, "hidden_size": 16, "num_layers": 1, "num_heads": 2,'
        ' "intermediate_size": 16, "max_length": 32}'
    )
    tune = ("finetune", "--architecture", "a.json", "--data")
    line = refused(*tune, "one.jsonl", cwd=tmp_path)
    assert "one.jsonl: all rows have the label 0" in line
    assert "--labels" in line
    line = refused(*tune, "two.jsonl", "--pair-head", "shared", cwd=tmp_path)
    assert "pair_head is for pairs" in line
