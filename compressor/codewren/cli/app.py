"""The command itself: all verbs in the order of a run."""

from __future__ import annotations

import sys

import typer

from codewren.cli import (
    attack,
    augment,
    calibrate,
    demo,
    distill,
    evaluate,
    export,
    finetune,
    import_,
    inspect,
    label,
    lsp,
    package,
    predict,
    run,
    scan,
    search,
)
from codewren_runtime.errors import CodewrenError

__all__ = ["app", "main"]

INTERRUPTED = 130

app = typer.Typer(
    name="compress",
    help="Compress a pre-trained model of code into at most 3 MB, and run it on a laptop's CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MODULES = (
    demo, run, calibrate, search, finetune, augment, label, distill, import_, export, evaluate,
    attack, predict, scan, inspect, package, lsp,
)  # fmt: skip
for module in MODULES:
    verb = module.__name__.rsplit(".", 1)[-1].rstrip("_")
    app.command(verb)(module.command)


def main() -> None:
    """Run the command; what a user can mend becomes one line on stderr and exit status 2."""
    try:
        app()
    except CodewrenError as error:
        line = " ".join(str(error).split())
        sys.stderr.write(f"compress: {line}\n")
        sys.exit(2)
    except SystemExit as done:
        if done.code == INTERRUPTED:  # typer's answer to Ctrl-C
            sys.stderr.write("compress: interrupted; the same command goes on where it was\n")
        raise
