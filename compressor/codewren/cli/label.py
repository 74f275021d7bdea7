"""compress label."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, read
from codewren.cli.options import (
    RUN,
    TEXT,
    DataOption,
    EmbeddingOption,
    ForceOption,
    FunctionsOption,
    Id1Option,
    Id2Option,
    JsonOption,
    LabelsOption,
    QuietOption,
    RunOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
    split_labels,
)
from codewren_runtime.errors import OptionError


def command(
    data: DataOption,
    run: RunOption = RUN,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder or hub name; several are averaged.  [default: the run's teacher]",
            metavar="DIR|NAME",
        ),
    ] = None,
    soft_labels: Annotated[
        Path | None,
        typer.Option(
            help="Take them from JSON lines that any model or service made.", metavar="FILE"
        ),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option(
            help="Field of the data that soft labels name a row by.  [default: content hash]",
            metavar="FIELD",
        ),
    ] = None,
    max_length: Annotated[int, typer.Option(min=8, help="Tokens that the teacher reads.")] = 400,
    states: Annotated[
        bool,
        typer.Option(
            "--states",
            help="Keep what its layers make of each text, for distill to learn from.",
        ),
    ] = False,
    embedding: EmbeddingOption = False,
    pooling: Annotated[
        Literal["mean", "first"],
        typer.Option(help="Embeddings: the mean of the teacher's tokens, or the first of them."),
    ] = "mean",
    labels: LabelsOption = None,
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
    """Cache the teacher's soft labels, or its embeddings, on unlabelled code."""
    from codewren.run_directory import Run
    from codewren.verbs.label import LabelSource, label
    from codewren_runtime.types import Task, TaskKind

    output = Output(json=json, quiet=quiet)
    source = LabelSource(tuple(teacher or ()), soft_labels, id, max_length, states, pooling)
    work = Run(run, output.reporter(), force)
    flags = DataFlags(
        text, None, text1, text2, id1, id2, functions, skip_bad_rows=skip_bad_rows, id=id
    )
    with work.locked():
        examples = read(data, flags, work.reporter)
        task, names = work.task(), split_labels(labels)
        if embedding and names is not None:
            raise OptionError("give either --embedding or --labels")
        if embedding:
            names = ()
        if task is None and names is None:
            raise OptionError(
                f"{run}: no task there yet; name the teacher's labels with --labels, or give "
                "--embedding"
            )
        kind: TaskKind = "embedding" if embedding else "pair" if flags.pair else "single"
        if task is None or (names is not None and (task.labels, task.kind) != (names, kind)):
            assert names is not None
            task = Task("task", kind, names)
        result = label(work, examples, task, source)
    if not output.result(result):
        if "predicted" in result:
            what = ", ".join(f"{100 * v:.1f} % {k}" for k, v in result["predicted"].items())
        else:
            what = f"{result['texts']:,} embeddings of {result['width']} numbers"
        output.line(f"{run / 'soft_labels.safetensors'}: {result['examples']:,} examples, {what}")
