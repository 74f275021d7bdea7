from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codewren.bench.inputs import read_inputs
from codewren.cli.app import app
from codewren.progress import Silent
from codewren.verbs.bench import BenchSettings, bench
from codewren_runtime.errors import BundleError, DataError, ModelError
from codewren_runtime.files import read_json

Wren = Callable[[str], Path]


def test_a_bundle_beside_a_checkpoint(
    wren: Wren, checkpoint: Path, sources: Path, tmp_path: Path
) -> None:
    bundle, out = wren("single"), tmp_path / "out"
    settings = BenchSettings(
        (bundle, bundle), (str(checkpoint),), sources, functions=3, passes=2, threads=(1, 2),
        starts=2, max_length=64, out=out,
    )  # fmt: skip
    result = bench(settings, Silent())
    assert read_json(out / "bench.json") == result
    assert (out / "bench.png").is_file()
    assert (out / "bench.svg").is_file()
    rows = result["contestants"]
    assert list(rows) == [str(bundle), str(checkpoint)]
    for row in rows.values():
        assert 0 < row["cpu_ms"]["p50"] <= row["cpu_ms"]["p95"]
        assert sum(group["inputs"] for group in row["by_length"]) == 3
        assert [load["threads"] for load in row["by_threads"]] == [1, 2]
        assert all(load["per_second"] > 0 for load in row["by_threads"])
        assert row["first_answer"]["wall_ms"]["median"] > 0
        needed, install = row["install"]["needed"], row["install"]
        assert install["needed_bytes"] == sum(needed.values()) <= install["with_dependencies_bytes"]
    ours, theirs = rows.values()
    assert ours["model_bytes"] == bundle.stat().st_size
    assert set(ours["install"]["needed"]) == {
        "numpy", "onnxruntime", "tokenizers", "codewren_runtime"
    }  # fmt: skip
    assert set(theirs["install"]["needed"]) == {"torch", "transformers"}
    (line,) = result["compared"]
    assert line["interval"][0] <= line["ratio"] <= line["interval"][1]


def test_the_command_shows_tables_of_a_pair_bundle(wren: Wren, sources: Path) -> None:
    bundle = wren("pair")
    arguments = ["bench", str(bundle), "--data", str(sources), "--passes", "1", "--starts", "1"]
    result = CliRunner().invoke(app, [*arguments, "--threads", "1", "--quiet"])
    assert result.exit_code == 0, result.output
    for words in ("3 functions of some sources", "p95 ms", "resident MB", "a second and core"):
        assert words in result.output
    result = CliRunner().invoke(app, [*arguments, "--threads", "1", "--quiet", "--json"])
    (row,) = json.loads(result.stdout)["contestants"].values()
    assert row["call"] == "embedding"


def test_inputs_are_functions_of_sources_rows_or_the_library(sources: Path) -> None:
    texts = read_inputs(sources, "func", 10, seed=0).texts
    assert sorted(text.split("(")[0] for text in texts) == ["def three", "int one", "int two"]
    rows = sources / "rows.jsonl.gz"
    rows.write_bytes(gzip.compress(b'{"code": "int a;"}\n{"code": "int b;"}\n'))
    assert set(read_inputs(rows, "code", 10, seed=0).texts) == {"int a;", "int b;"}
    library = read_inputs(None, "func", 5, seed=0)
    assert library == read_inputs(None, "func", 5, seed=0)
    assert len(set(library.texts)) == 5
    assert library != read_inputs(None, "func", 5, seed=1)


def test_what_cannot_be_measured_is_one_line(wren: Wren, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no function"):
        read_inputs(tmp_path / "empty", "func", 3, seed=0)
    with pytest.raises(DataError, match="gone"):
        read_inputs(tmp_path / "gone", "func", 3, seed=0)
    with pytest.raises(BundleError, match=r"gone\.wren"):
        bench(BenchSettings((tmp_path / "gone.wren",)), Silent())
    with pytest.raises(ModelError, match="empty: not a model that transformers can load"):
        bench(BenchSettings((wren("single"),), (str(tmp_path / "empty"),)), Silent())
