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

__all__ = ["COLUMNS", "Row", "cells", "report_data", "verdicts", "write_report"]

COLUMNS = ("model", "accuracy", "F1", "AUC", "bytes", "p50 latency")


@dataclass(frozen=True, slots=True)
class Row:
    """One model on the test rows: scores, bytes on disk, median milliseconds on one thread."""

    name: str
    scores: Scores
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


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """One row of report.json as text, in the order of COLUMNS."""
    scores, latency = row["scores"], row["latency_ms"]
    return (
        row["name"],
        f"{100 * scores['accuracy']:.2f} %",
        f"{100 * scores['f1']:.2f}",
        "–" if scores["auc"] is None else f"{100 * scores['auc']:.2f}",
        f"{row['bytes']:,}",
        "–" if latency is None else f"{latency:.2f} ms",
    )


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the table says in words, the unwelcome included."""
    scores = {row["name"].split(":")[0].split(",")[0]: row["scores"] for row in rows}
    lines = []
    if {"teacher", "student"} <= scores.keys():
        share = scores["student"]["accuracy"] / max(scores["teacher"]["accuracy"], 1e-9)
        lines.append(f"the student keeps {100 * share:.1f} % of its teacher's accuracy")
    if {"control", "student"} <= scores.keys():
        ahead = scores["student"]["accuracy"] > scores["control"]["accuracy"]
        verb = "beats" if ahead else "does NOT beat"
        gap = _gap(scores["student"], scores["control"])
        lines.append(f"distillation {verb} training the same shape on the labels ({gap})")
    if {"bundle", "student"} <= scores.keys():
        lines.append(
            f"the exported bundle against the student: {_gap(scores['bundle'], scores['student'])}"
        )
    best = max(scores, key=lambda name: float(scores[name]["accuracy"]), default="")
    if best in {"majority", "TF-IDF linear"} and len(scores) > len({"majority", "TF-IDF linear"}):
        lines.append(f"no model here beats the simplest one: {best}")
    return lines


def _gap(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Difference of two accuracies in points, and whether so few rows can show it at all.

    Chance is two standard errors of the difference of two independent shares.
    """
    gap = one["accuracy"] - other["accuracy"]
    variance = sum(s["accuracy"] * (1 - s["accuracy"]) / s["count"] for s in (one, other))
    note = "" if abs(gap) > 2 * variance**0.5 else f", within chance for {one['count']:,} rows"
    return f"{100 * gap:+.2f} points{note}"


def _markdown(data: Mapping[str, Any]) -> str:
    task = data["task"]
    labels = " / ".join(task["labels"])
    head = f"# {task['name']}: {task['kind']}, {labels}, {data['test_rows']:,} test rows\n\n"
    table = [COLUMNS, ("---",) + ("---:",) * (len(COLUMNS) - 1), *map(cells, data["rows"])]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in table)
    notes = "".join(f"- {line}\n" for line in data["verdicts"])
    return f"{head}{lines}\nLatency: one prediction at a time, one CPU thread.\n\n{notes}"


def _plot(run: Run, rows: Sequence[Mapping[str, Any]]) -> None:
    figure, axes = new_axes()
    for index, row in enumerate(rows):
        accuracy = 100 * row["scores"]["accuracy"]
        if row["bytes"] == 0:  # majority has no size: a line to compare with
            axes.axhline(accuracy, color="0.6", linestyle=":", linewidth=1)
            axes.annotate(
                row["name"],
                (1.0, accuracy),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                color="0.4",
            )
            continue
        axes.scatter(row["bytes"] / 1e6, accuracy, s=60, zorder=3)
        axes.annotate(
            row["name"].split(":")[0],
            (row["bytes"] / 1e6, accuracy),
            xytext=(6, 6) if index % 2 else (6, -16),  # neighbours' names must not overlap
            textcoords="offset points",
        )
    axes.axvline(3.0, color="tab:red", linewidth=1, linestyle="--")
    axes.set(
        xlabel="MB on disk (log scale; dashed: 3 MB)",
        ylabel="accuracy, %",
        xscale="log",
        title="Accuracy against size",
    )
    axes.margins(x=0.25, y=0.15)
    save(figure, run.path("report.png"))
