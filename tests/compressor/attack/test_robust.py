from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from codewren.cli.app import app
from codewren.data import Fields, read_examples
from codewren.verbs.robust import rewordings
from codewren_runtime import load


def evaluate(*arguments: object) -> dict[str, Any]:
    given = ["evaluate", *map(str, arguments), "--robust", "--json", "-q"]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_a_bundle_says_how_many_answers_stay(wren: Callable[[str], Path], labelled: Path) -> None:
    bundle = wren("single")
    report = evaluate("--bundle", bundle, "--data", labelled)
    found = {row["kind"]: row for row in report["robust"]["bundle"]}
    assert set(found) == {"names", "layout", "comments", "order", "loops"}
    assert found["names"]["changed"] == found["comments"]["changed"] == 10
    assert found["layout"]["changed"] >= 8  # chance may draw the layout that a text has
    model = load(bundle)
    assert found["order"]["changed"] == found["loops"]["changed"] == 0  # nowhere a place
    data = read_examples(labelled, Fields(), None, require_label=True)
    kept = sum(
        model.predict(example.text).label == model.predict(data.examples[row].text).label
        for row, example in rewordings(data)["names"]
    )
    assert found["names"]["kept"] == kept < 10
    assert any("keeps its answer" in line for line in report["verdicts"])


def test_a_symmetric_pair_model_keeps_every_mirrored_answer(
    wren: Callable[[str], Path], pairs: Path
) -> None:
    fields = ("--text1", "a", "--text2", "b")
    report = evaluate("--bundle", wren("pair"), "--data", pairs, *fields)
    found = {row["kind"]: row for row in report["robust"]["bundle"]}
    assert found["mirror"] == {"kind": "mirror", "changed": 4, "kept": 4}
    assert found["names"]["changed"] == 4
