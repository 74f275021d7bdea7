"""compress import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, read
from codewren.cli.options import (
    RUN,
    TEXT,
    DataOption,
    ForceOption,
    FunctionsOption,
    Id1Option,
    Id2Option,
    JsonOption,
    QuietOption,
    RunOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
)


def command(
    folder: Annotated[
        Path, typer.Argument(help="Folder with model.bin and tokenizer.json.", metavar="FOLDER")
    ],
    data: DataOption,
    run: RunOption = RUN,
    heads: Annotated[
        int, typer.Option(min=1, help="Attention heads, which the checkpoint does not tell.")
    ] = 8,
    name: Annotated[str, typer.Option(help="Name of the task.")] = "task",
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
    """Make a student of a checkpoint of the paper's replication package; data is for the gates."""
    from codewren.run_directory import Run
    from codewren.verbs.import_ import import_published

    output = Output(json=json, quiet=quiet)
    work = Run(run, output.reporter(), force)
    flags = DataFlags(text, None, text1, text2, id1, id2, functions, skip_bad_rows=skip_bad_rows)
    with work.locked():
        rows = read(data, flags, work.reporter)
        result = import_published(work, folder, rows, name=name, heads=heads)
    if not output.result(result):
        output.line(f"{run / 'student'}: {result['parameters']:,} parameters")
