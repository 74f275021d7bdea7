"""A whole run on a tiny recipe, through the command line: what comes out, and after a kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codewren_runtime import load

RECIPE = """
seed = 3
[task]
name = "calls"
labels = ["safe", "vulnerable"]
[data]
train = "train.jsonl"
unlabelled = "unlabelled.jsonl"
test = "test.jsonl"
validation = "validation.jsonl"
text = "code"
label = "bad"
[search]
size = "200kB"
space = "space.toml"
[teacher]
dropout = 0.0
epochs = 8
batch_size = 8
learning_rate = 2e-3
[teacher.architecture]
vocab_size = 320
hidden_size = 32
num_layers = 1
num_heads = 2
intermediate_size = 32
max_length = 48
[export]
threshold = "f1"
long_inputs = "split-mean"
[distill]
epochs = 8
batch_size = 8
learning_rate = 2e-3
checkpoint_seconds = 0.0
"""
SPACE = """
max_length = 48
vocab_size = [300, 320]
hidden_size = [16, 32]
num_layers = [1]
num_heads = [1, 2]
intermediate_size = [16, 32]
"""
CALLS = ("read", "write", "open", "close", "copy", "size", "next", "first")


def _rows(count: int, seed: int) -> list[dict[str, object]]:
    rng = random.Random(seed)
    rows: list[dict[str, object]] = []
    for _ in range(count):
        bad = rng.random() < 0.5
        calls = rng.choices(CALLS, k=rng.randint(2, 5)) + (["strcpy"] if bad else ["check"])
        rng.shuffle(calls)
        body = " ".join(f"{call}(buf);" for call in calls)
        rows.append({"code": f"int f(void) {{ {body} }}", "bad": int(bad)})
    return rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A recipe with its data, in a folder with a space in its name."""
    place = tmp_path / "with space"
    place.mkdir()
    for seed, (name, count) in enumerate(
        {"train": 240, "unlabelled": 240, "test": 80, "validation": 60}.items()
    ):
        lines = "".join(json.dumps(row) + "\n" for row in _rows(count, seed))
        (place / f"{name}.jsonl").write_text(lines)
    (place / "recipe.toml").write_text(RECIPE)
    (place / "space.toml").write_text(SPACE)
    return place


def _command(folder: Path, run: str, *options: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "codewren", "run", str(folder / "recipe.toml"),
            "--run", str(folder / run), *options]  # fmt: skip


def _environment() -> dict[str, str]:
    # One thread: tiny models gain nothing by two, and lose badly on a busy machine.
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def _run(folder: Path, run: str, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        _command(folder, run, *options),
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_a_recipe_goes_through_and_a_second_run_skips_all_of_it(folder: Path) -> None:
    report = json.loads(_run(folder, "run", "--json", "--quiet").stdout)
    names = [row["name"].split(":")[0].split(",")[0] for row in report["rows"]]
    assert names == ["majority", "TF-IDF linear", "teacher", "control", "student", "bundle"]
    scores = {name: row["scores"] for name, row in zip(names, report["rows"], strict=True)}
    assert scores["student"]["accuracy"] > scores["majority"]["accuracy"] + 0.2
    assert abs(scores["bundle"]["accuracy"] - scores["student"]["accuracy"]) <= 0.0126
    bundle = folder / "run" / "model.wren"
    assert bundle.stat().st_size == report["rows"][-1]["bytes"] <= 200_000
    for name in ("report.md", "report.png", "search.png", "student/curves.png"):
        assert (folder / "run" / name).stat().st_size > 0
    manifest = load(bundle).manifest
    assert manifest.long_inputs == "split-mean"
    assert manifest.decision.calibration["rows"] == 60
    assert manifest.decision.calibration["threshold"] == "f1"
    prediction = load(bundle).predict("int f(void) { strcpy(buf); }")
    assert prediction.probability == max(prediction.probabilities.values())
    before = bundle.read_bytes()
    again = _run(folder, "run")
    steps = (
        "search",
        "finetune teacher",
        "label",
        "distill",
        "finetune control",
        "export",
        "evaluate",
    )
    for step in steps:
        assert f"{step}: unchanged, skipped" in again.stderr
    assert bundle.read_bytes() == before


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL there")
@pytest.mark.parametrize(
    "moment", ["soft_labels.safetensors", "student/training_state/state.safetensors"]
)
def test_a_killed_run_goes_on_and_ends_with_the_same_scores(folder: Path, moment: str) -> None:
    _run(folder, "whole", "--quiet")
    process = subprocess.Popen(
        _command(folder, "cut"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()
    )
    deadline = time.monotonic() + 120
    while not (folder / "cut" / moment).is_file():
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (folder / "cut" / "report.json").exists()
    assert "finetune teacher: unchanged, skipped" in _run(folder, "cut").stderr
    whole, cut = (
        json.loads((folder / run / "report.json").read_text()) for run in ("whole", "cut")
    )
    assert [row["scores"] for row in whole["rows"]] == [row["scores"] for row in cut["rows"]]
    weights = [folder / run / "student" / "model.safetensors" for run in ("whole", "cut")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert not (folder / "cut" / "student" / "training_state").exists()


@pytest.mark.slow
def test_the_verbs_one_by_one(folder: Path) -> None:
    def compress(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "codewren", *arguments],
            capture_output=True, text=True, check=False, env=_environment(), cwd=folder,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    shape = '{"vocab_size": 300, "hidden_size": 16, "num_layers": 1, "num_heads": 2, '
    (folder / "teacher.json").write_text(shape + '"intermediate_size": 16, "max_length": 48}')
    quick = ("--epochs", "1", "--batch-size", "16", "--text", "code", "--data")
    labelled = ("--label", "bad", "--architecture", "teacher.json", "--labels", "safe,bad")
    assert "240 examples" in compress("finetune", *quick, "train.jsonl", *labelled)
    assert "GFLOPs" in compress("search", "--size", "200kB", "--space", "space.toml")
    assert "240 examples" in compress("label", "--text", "code", "--data", "unlabelled.jsonl")
    for_int4 = ("distill", "--qat", "int4", *quick, "unlabelled.jsonl")
    assert "240 examples" in compress(*for_int4)
    assert "240 examples" in compress(*for_int4)  # skipped, said alike
    assert "size" in compress("export")
    table = compress("evaluate", "--text", "code", "--label", "bad", "--data", "test.jsonl")
    assert "bundle, int4" in table
    (folder / "a file.c").write_text("int f(void) { strcpy(buf); }")
    answers = json.loads(compress("predict", "run/model.wren", "a file.c", "--json"))
    assert answers[0]["label"] in {"safe", "bad"}
    assert "task.labels" in compress("inspect", "run/model.wren")
