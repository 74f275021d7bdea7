"""Tables that several verbs print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codewren.cli.console import Output

__all__ = ["show_report"]


def show_report(output: Output, report: Mapping[str, Any]) -> None:
    """The table of report.json, and what it says in words."""
    from codewren.report import cells, columns

    title = f"{report['task']['name']}: {report['test_rows']:,} test rows"
    output.table(title, columns(report["rows"]), [cells(row) for row in report["rows"]])
    for line in report["verdicts"]:
        output.line(line)
