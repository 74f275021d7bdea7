"""compress demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.options import ForceOption, JsonOption, QuietOption, RunOption, SeedOption

RUN = Path("demo-run")


def command(
    run: RunOption = RUN,
    smallest: Annotated[
        bool, typer.Option("--smallest", help="A minute instead of minutes; scores mean little.")
    ] = False,
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Clone detection on this machine's Python standard library, from nothing to a bundle."""
    from codewren.cli.tables import show_report
    from codewren.demo.run import run_demo
    from codewren.run_directory import Run

    output = Output(json=json, quiet=quiet)
    work = Run(run, output.reporter(), force)
    with work.locked():
        report = run_demo(work, smallest=smallest, seed=seed)
    if not output.result(report):
        show_report(output, report)
        output.line(
            f"bundle: {run / 'model.wren'}   report: {run / 'report.md'}, {run / 'report.png'}"
        )
