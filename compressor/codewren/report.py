"""The report of a run: one table as JSON and Markdown, one plot of accuracy against bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codewren.data import Dataset
from codewren.plots import new_axes, save
from codewren.run_directory import Run, Step
from codewren_runtime.files import write_bytes
from codewren_runtime.metrics import Scores
from codewren_runtime.types import Task

__all__ = ["Row", "cells", "columns", "report_data", "verdicts", "write_report"]

# Of each kind of scores the first is the one that verdicts and plot go by.
TITLES = {
    "accuracy": "accuracy",
    "f1": "F1",
    "auc": "AUC",
    "mrr": "MRR",
    "recall_at_1": "recall@1",
    "recall_at_5": "recall@5",
    "recall_at_10": "recall@10",
    "map_at_r": "MAP@R",
    "spearman": "Spearman",
}
SIMPLEST = {"majority", "TF-IDF linear", "TF-IDF cosine"}


@dataclass(frozen=True, slots=True)
class Row:
    """One model on the test rows: scores, bytes on disk, median milliseconds on one thread.

    Scores of embeddings are those of `codewren.retrieval`.
    """

    name: str
    scores: Scores | Mapping[str, float]
    bytes: int
    latency_ms: float | None


def report_data(task: Task, rows: Sequence[Row], test: Dataset) -> dict[str, Any]:
    """What report.json says, as plain JSON values."""
    data: dict[str, Any] = {
        "task": task.to_json(),
        "test_rows": len(test.examples),
        "rows": [asdict(row) for row in rows],
    }
    return data | {"verdicts": verdicts(data["rows"])}


def write_report(run: Run, step: Step, data: dict[str, Any]) -> dict[str, Any]:
    """Write report.md and report.png, then report.json, and return the last."""
    write_bytes(run.path("report.md"), _markdown(data).encode())
    _plot(run, data["rows"])
    return step.finish(data)


def columns(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The titles of `cells`."""
    return ("model", *(TITLES[name] for name in _measures(rows)), "bytes", "p50 latency")


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """One row of report.json as text, in the order of `columns`."""
    scores, latency = row["scores"], row["latency_ms"]
    return (
        row["name"],
        *(_cell(name, scores[name]) for name in _measures([row])),
        f"{row['bytes']:,}",
        "–" if latency is None else f"{latency:.2f} ms",
    )


def _cell(name: str, score: float | None) -> str:
    if score is None:
        return "–"
    return f"{100 * score:.2f} %" if name == "accuracy" else f"{100 * score:.2f}"


def _measures(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for name in rows[0]["scores"] if name != "count"]


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the table says in words, the unwelcome included."""
    scores = {row["name"].split(":")[0].split(",")[0]: row["scores"] for row in rows}
    lines = []
    first = _measures(rows)[0]
    if {"teacher", "student"} <= scores.keys():
        share = scores["student"][first] / max(scores["teacher"][first], 1e-9)
        lines.append(f"the student keeps {100 * share:.1f} % of its teacher's {TITLES[first]}")
    if {"control", "student"} <= scores.keys():
        ahead = scores["student"][first] > scores["control"][first]
        verb = "beats" if ahead else "does NOT beat"
        gap = _gap(scores["student"], scores["control"], first)
        what = "labels" if first == "accuracy" else "pairs"
        lines.append(f"distillation {verb} training the same shape on the {what} ({gap})")
    if {"bundle", "student"} <= scores.keys():
        lines.append(
            "the exported bundle against the student: "
            f"{_gap(scores['bundle'], scores['student'], first)}"
        )
    best = max(scores, key=lambda name: float(scores[name][first]), default="")
    if best in SIMPLEST and not scores.keys() <= SIMPLEST:
        lines.append(f"no model here beats the simplest one: {best}")
    return lines


def _gap(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> str:
    """Difference of two scores in points, and whether so few rows can show it at all.

    Chance is two standard errors of the difference of two independent shares, which is at least
    that of any other mean of numbers from 0 to 1.
    """
    gap = one[name] - other[name]
    variance = sum(max(0.0, s[name] * (1 - s[name])) / s["count"] for s in (one, other))
    note = "" if abs(gap) > 2 * variance**0.5 else f", within chance for {one['count']:,} rows"
    return f"{100 * gap:+.2f} points{note}"


def _markdown(data: Mapping[str, Any]) -> str:
    task = data["task"]
    what = ", ".join(filter(None, (task["kind"], " / ".join(task["labels"]))))
    head = f"# {task['name']}: {what}, {data['test_rows']:,} test rows\n\n"
    titles = columns(data["rows"])
    table = [titles, ("---",) + ("---:",) * (len(titles) - 1), *map(cells, data["rows"])]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in table)
    notes = "".join(f"- {line}\n" for line in data["verdicts"])
    return f"{head}{lines}\nLatency: one prediction at a time, one CPU thread.\n\n{notes}"


def _plot(run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
    figure, axes = new_axes()
    first = _measures(rows)[0]
    for index, row in enumerate(rows):
        height = 100 * row["scores"][first]
        if row["bytes"] == 0:  # majority has no size: a line to compare with
            axes.axhline(height, color="0.6", linestyle=":", linewidth=1)
            axes.annotate(
                row["name"],
                (1.0, height),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                color="0.4",
            )
            continue
        axes.scatter(row["bytes"] / 1e6, height, s=60, zorder=3)
        axes.annotate(
            row["name"].split(":")[0],
            (row["bytes"] / 1e6, height),
            xytext=(6, 6) if index % 2 else (6, -16),  # neighbours' names must not overlap
            textcoords="offset points",
        )
    axes.axvline(3.0, color="tab:red", linewidth=1, linestyle="--")
    axes.set(
        xlabel="MB on disk (log scale; dashed: 3 MB)",
        ylabel=f"{TITLES[first]}, %",
        xscale="log",
        title=f"{TITLES[first][0].upper()}{TITLES[first][1:]} against size",
    )
    axes.margins(x=0.25, y=0.15)
    save(figure, run.path("report.png"))
