"""compress run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.options import RUN, ForceOption, JsonOption, QuietOption, RunOption


def command(
    recipe: Annotated[Path, typer.Argument(help="The recipe.", metavar="RECIPE.toml")],
    run: RunOption = RUN,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Go through a whole recipe: search, pretrain, finetune, label, distill, export, evaluate."""
    from codewren.cli.tables import show_report
    from codewren.pipeline import run_recipe
    from codewren.recipe import load_recipe
    from codewren.run_directory import Run

    output = Output(json=json, quiet=quiet)
    loaded = load_recipe(recipe)
    work = Run(run, output.reporter(), force)
    with work.locked():
        report = run_recipe(work, loaded)
    if not output.result(report):
        show_report(output, report)
        output.line(
            f"bundle: {run / 'model.wren'}   report: {run / 'report.md'}, {run / 'report.png'}"
        )
