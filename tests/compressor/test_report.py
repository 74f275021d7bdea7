from __future__ import annotations

from typing import Any

from codewren.report import cells, verdicts


def _row(name: str, accuracy: float, count: int = 1000) -> dict[str, Any]:
    scores = {"accuracy": accuracy, "f1": accuracy, "auc": None, "count": count}
    return {"name": name, "scores": scores, "bytes": 1000, "latency_ms": None}


def test_the_unwelcome_is_said() -> None:
    rows = [
        _row("TF-IDF linear", 0.9),
        _row("teacher", 0.8),
        _row("control: student's shape", 0.85),
        _row("student, distilled", 0.7),
        _row("bundle, 8 bits", 0.701),
    ]
    text = "\n".join(verdicts(rows))
    assert "keeps 87.5 %" in text
    assert "does NOT beat" in text
    assert "(-15.00 points)" in text
    assert "+0.10 points, within chance for 1,000 rows" in text
    assert "no model here beats the simplest one: TF-IDF linear" in text


def test_a_gap_is_called_chance_only_where_so_few_rows_cannot_show_it() -> None:
    for count, chance in ((100, True), (100_000, False)):
        rows = [_row("control", 0.80, count), _row("student", 0.82, count)]
        assert ("within chance" in verdicts(rows)[0]) is chance
        assert "distillation beats" in verdicts(rows)[0]


def test_a_table_of_one_bundle_has_no_verdict() -> None:
    assert verdicts([_row("bundle", 0.5)]) == []
    assert cells(_row("bundle", 0.5))[3] == "–"
