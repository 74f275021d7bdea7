"""calibrate and search together, as the command line runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codewren.cli.app import app
from codewren.verbs.search import SearchSettings
from codewren_runtime.errors import OptionError

SPACE = """
max_length = 64
vocab_size = [300, 400]
hidden_size = [16, 32, 48]
num_layers = [1, 2]
num_heads = [1, 2]
intermediate_size = [32, 64]
embedding_size = [0, 16]
shared_layers = [1, 2]
"""


def rows(path: Path, count: int = 60) -> Path:
    lines = [
        {
            "func": f"int f{i}() {{ {'free(p);' if i % 2 else 'use(p);'} return {i}; }}",
            "target": i % 2,
        }
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a cpu") / "model.json"
    done = CliRunner().invoke(app, ["calibrate", "--architectures", "8", "--out", str(path), "-q"])
    assert done.exit_code == 0, done.output
    assert "attention exponentials" in done.stdout
    return path


def searched(folder: Path, *arguments: str) -> dict[str, object]:
    (folder / "mine.toml").write_text(SPACE)
    base = ["search", "--run", str(folder / "run"), "--space", str(folder / "mine.toml")]
    done = CliRunner().invoke(app, [*base, "--json", "--quiet", *arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_calibrate_measures_once_and_draws(calibrated: Path) -> None:
    before = calibrated.read_bytes()
    assert calibrated.with_suffix(".png").stat().st_size > 10_000
    assert calibrated.with_suffix(".svg").is_file()
    model = json.loads(before)
    assert model["architectures"] == 8
    assert 0 < model["median_error"] < 1
    done = CliRunner().invoke(app, ["calibrate", "--out", str(calibrated), "--json"])
    assert json.loads(done.stdout)["coefficients"] == model["coefficients"]
    assert calibrated.read_bytes() == before


@pytest.mark.slow
def test_a_limit_on_latency_holds_and_is_kept_with_the_answer(
    calibrated: Path, tmp_path: Path
) -> None:
    model = ("--latency-model", str(calibrated), "--characters", "150")
    free = searched(tmp_path, *model)["candidates"]
    assert isinstance(free, list)
    limit = 0.9 * free[0]["latency_ms"]
    found = searched(tmp_path, *model, "--latency", f"{limit:.6f}ms")
    assert isinstance(found["candidates"], list)
    margin = json.loads(calibrated.read_text())["p90_error"]
    slowest = max(candidate["latency_ms"] for candidate in found["candidates"])
    assert slowest * (1 + margin) <= limit + 1e-3
    assert found["candidates"][0]["executed"] < free[0]["executed"]
    assert found["budget"] == {
        "size_bytes": 3_000_000,
        "bits": 8,
        "latency_ms": pytest.approx(limit, abs=1e-5),
        "latency_margin": margin,
        "reserved_bytes": 0,
    }
    table = CliRunner().invoke(
        app, ["search", "--run", str(tmp_path / "run"), "--space", str(tmp_path / "mine.toml"),
              *model, "--latency", f"{limit:.6f}ms"]
    )  # fmt: skip
    assert "latency" in table.stdout
    assert "unchanged, skipped" in table.stderr


@pytest.mark.slow
def test_finalists_of_the_front_are_trained_and_the_best_is_the_answer(
    calibrated: Path, tmp_path: Path
) -> None:
    data = rows(tmp_path / "rows.jsonl")
    found = searched(
        tmp_path, "--latency-model", str(calibrated), "--finalists", "3", "--jobs", "1",
        "--data", str(data), "--labels", "safe,vulnerable", "--rows", "60", "--epochs", "1",
    )  # fmt: skip
    finalists, candidates = found["finalists"], found["candidates"]
    assert isinstance(finalists, dict)
    assert isinstance(candidates, list)
    assert (finalists["train_rows"], finalists["held_out_rows"]) == (45, 15)
    assert [len(each["results"]) for each in finalists["rounds"]] == [3, 2]
    winner = finalists["rounds"][-1]["results"][0]["architecture"]
    assert winner == found["architecture"] == candidates[0]["architecture"]
    assert set(finalists["rank_correlations"]) >= {"executed", "parameters", "latency_ms"}
    assert len(list((tmp_path / "run" / "finalists").glob("*.json"))) == 5
    assert (tmp_path / "run" / "search.svg").is_file()


@pytest.mark.parametrize(
    "arguments", [["--latency", "5ms"], ["--pareto"], ["--finalists", "4", "--data", "rows.jsonl"]]
)
def test_without_a_latency_model_the_remedy_is_named(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows(tmp_path / "rows.jsonl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done = CliRunner().invoke(app, ["search", "--quiet", *arguments])
    assert isinstance(done.exception, OptionError)
    assert "run compress calibrate" in str(done.exception)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"finalists": 1}, "0 or at least 2"),
        ({"characters": 0}, "characters must be at least 1"),
        ({"exhaustive": True, "pareto": True}, "leave pareto and finalists out"),
        ({"formula": "paper", "bits": 32, "finalists": 4}, "knows no latency"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    settings: dict[str, object], says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        SearchSettings(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("latency", ["fast", "5", "0ms", "-1ms", "5 min", ""])
def test_a_latency_without_sense_is_refused(latency: str) -> None:
    with pytest.raises(OptionError, match="for example 5ms"):
        SearchSettings(latency=latency).budget()
