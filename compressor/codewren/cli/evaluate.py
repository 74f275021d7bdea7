"""compress evaluate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, check_kind, read
from codewren.cli.options import (
    LABEL,
    RUN,
    TEXT,
    DataOption,
    ForceOption,
    FunctionsOption,
    Id1Option,
    Id2Option,
    JsonOption,
    LabelOption,
    QuietOption,
    RunOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
)
from codewren.kept import kept_bundle


def command(
    data: DataOption,
    run: RunOption = RUN,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="Evaluate this bundle, or kept model, alone, without a run.",
            metavar="FILE|NAME",
            parser=kept_bundle,
        ),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(help="Labelled rows for majority and TF-IDF beside it.", metavar="PATH"),
    ] = None,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust",
            help="Also: do answers stay under other names, layout, comments, order, loops?",
        ),
    ] = False,
    label: LabelOption = LABEL,
    text: TextOption = TEXT,
    text1: Text1Option = None,
    text2: Text2Option = None,
    id1: Id1Option = None,
    id2: Id2Option = None,
    functions: FunctionsOption = None,
    skip_bad_rows: SkipBadOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Score every model of a run, or one bundle, on labelled test rows."""
    from codewren.cli.tables import show_report
    from codewren.run_directory import Run
    from codewren.verbs.evaluate import evaluate, evaluate_alone, task_of

    output = Output(json=json, quiet=quiet)
    work = Run(run, output.reporter(), force)
    task = task_of(work, bundle)
    names = task.labels if task is not None else None
    flags = DataFlags(text, label, text1, text2, id1, id2, functions, names, skip_bad_rows)
    if task is not None:
        check_kind(flags, bundle or run, task)
        if task.kind == "embedding":
            flags = replace(flags, label=None if flags.pair else label, labels=None, optional=True)
    test = read(data, flags, work.reporter)
    seen = read(train, flags, work.reporter) if train else None
    if bundle is not None:
        result = evaluate_alone(work.reporter, bundle, test, seen, robust=robust)
    else:
        with work.locked():
            result = evaluate(work, test, seen, robust=robust)
    if not output.result(result):
        show_report(output, result)
