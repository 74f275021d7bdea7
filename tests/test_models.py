"""The models that come with the project: what their cards say is so."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codewren.cli.app import app
from codewren.kept import DEFAULT, KEPT, kept_bundle, languages_of
from codewren_runtime import load

MODELS = Path(__file__).resolve().parents[1] / "models"
MOST_BYTES = 3_000_000


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt") as lines:
        yield from map(json.loads, lines)


def _vulnerabilities(shared: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    for row in _rows(shared / "data/devign/test_public.jsonl.gz"):
        yield (row["func"],), int(row["target"])


def _clones(shared: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    folder = shared / "data/bigclonebench"
    code = {row["id"]: row["code"] for row in _rows(folder / "functions.jsonl.gz")}
    for row in _rows(folder / "test_public.jsonl.gz"):
        yield (code[row["id1"]], code[row["id2"]]), int(row["label"])


TESTS: dict[str, Callable[[Path], Iterator[tuple[tuple[str, ...], int]]]] = {
    "vulnerability-c": _vulnerabilities,
    "vulnerability-c-hardened": _vulnerabilities,
    "clones-java": _clones,
}


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_model_fits_and_its_card_tells_its_size(name: str) -> None:
    path = MODELS / f"{name}.wren"
    assert kept_bundle(Path(name)) == path
    assert languages_of(path) == KEPT[name]
    assert languages_of(path.parent / ".." / MODELS.name / path.name) == KEPT[name]
    size = path.stat().st_size
    assert size <= MOST_BYTES
    for page in (MODELS / f"{name}.md", MODELS / "README.md"):
        assert f"{size:,}" in page.read_text(encoding="utf-8"), page


@pytest.mark.parametrize("name", KEPT)
def test_the_cards_accuracy_is_the_bundles(name: str, shared: Path) -> None:
    model, right, count = load(kept_bundle(Path(name))), 0, 0
    examples = list(TESTS[name](shared))
    texts = [texts if len(texts) > 1 else texts[0] for texts, _ in examples]
    for answer, (_, label) in zip(model.predict_many(texts), examples, strict=True):  # type: ignore[arg-type]
        right += answer.label == model.labels[label]
        count += 1
    card = (MODELS / f"{name}.md").read_text(encoding="utf-8")
    told = re.search(r"\*\*this bundle\*\*.*?\*\*([\d.]+) %\*\*", card)
    assert told is not None
    assert abs(100 * right / count - float(told[1])) < 0.16  # a row or two on another CPU


def test_scan_needs_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int f(char *p) {\n    return strcpy(p, gets(p)) != 0;\n}\n")
    (tmp_path / "b.py").write_text("def g():\n    return 1\n")
    (tmp_path / "C.java").write_text("class C { int f() { return 1; } }\n")
    common = ["--no-cache", "--fail-on", "never", "--json"]
    done = CliRunner().invoke(app, ["scan", str(tmp_path), *common])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["task"], found["functions"]) == ("vulnerability", 1)
    assert found["skipped"] == {"of other languages": 2}
    done = CliRunner().invoke(app, ["scan", str(tmp_path), "--bundle", "clones-java", *common])
    assert json.loads(done.stdout)["functions"] == 1
    done = CliRunner().invoke(app, ["scan", str(tmp_path), "--languages", "c,cobol", *common])
    assert "'cobol' is not known" in str(done.exception)
    assert DEFAULT in KEPT


def test_predict_knows_a_kept_model_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int f(void) { return 1; }\n")
    done = CliRunner().invoke(app, ["predict", "vulnerability-c", str(tmp_path / "a.c"), "--json"])
    assert done.exit_code == 0, done.output
