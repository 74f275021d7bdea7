"""All verbs in the order of a run."""

from __future__ import annotations

import typer

from codewren.cli import (
    demo,
    distill,
    evaluate,
    export,
    finetune,
    inspect,
    label,
    predict,
    run,
    search,
)

__all__ = ["app"]

app = typer.Typer(
    name="compress",
    help="Compress a pre-trained model of code into at most 3 MB, and run it on a laptop's CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for module in (demo, run, search, finetune, label, distill, export, evaluate, predict, inspect):
    verb = module.__name__.rsplit(".", 1)[-1]
    app.command(verb)(module.command)
