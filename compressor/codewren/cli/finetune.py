"""compress finetune."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, read
from codewren.cli.options import (
    LABEL,
    RUN,
    TEXT,
    AccumulationOption,
    BatchSizeOption,
    ConsistencyOption,
    DataOption,
    EmaOption,
    EmbeddingOption,
    EmbeddingsOption,
    EpochsOption,
    ForceOption,
    FromScratchOption,
    FunctionsOption,
    Id1Option,
    Id2Option,
    JsonOption,
    LabelOption,
    LabelSmoothingOption,
    LabelsOption,
    LearningRateOption,
    MemoryOption,
    NgramsOption,
    NormalisationOption,
    PairHeadOption,
    QuietOption,
    RunOption,
    SeedOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
    TokenDropoutOption,
    split_labels,
    training_settings,
)
from codewren_runtime.errors import OptionError


def command(
    data: DataOption,
    run: RunOption = RUN,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Start from this folder or hub name.", metavar="DIR|NAME"),
    ] = None,
    architecture: Annotated[
        Path | None,
        typer.Option(help="Or from scratch: JSON or TOML with the architecture.", metavar="FILE"),
    ] = None,
    max_length: Annotated[int, typer.Option(min=8, help="Tokens that a checkpoint reads.")] = 400,
    pair_encoding: Annotated[
        Literal["siamese", "cross"],
        typer.Option(help="Pairs with a checkpoint: each text alone, or both together."),
    ] = "siamese",
    data_flow: Annotated[
        str | None,
        typer.Option(
            help="Read data flow too, as GraphCodeBERT does: c, go, java, javascript, php, "
            "python or ruby.",
            metavar="LANGUAGE",
        ),
    ] = None,
    into: Annotated[
        Literal["teacher", "control"], typer.Option(help="Folder of the run to train into.")
    ] = "teacher",
    name: Annotated[str, typer.Option(help="Name of the task.")] = "task",
    normalisation: NormalisationOption = "raw",
    valid: Annotated[
        Path | None,
        typer.Option(help="Labelled rows for early stopping, as in --data.", metavar="PATH"),
    ] = None,
    valid_share: Annotated[
        float, typer.Option(help="Or hold out this share of the rows of every label.")
    ] = 0.0,
    patience: Annotated[
        int, typer.Option(min=0, help="Epochs without a lower validation loss; 0: never stop.")
    ] = 2,
    class_weights: Annotated[
        Literal["none", "balanced"], typer.Option(help="Weigh rows against their label's share.")
    ] = "none",
    freeze_layers: Annotated[
        int, typer.Option(min=0, help="Keep the embeddings and the lowest N layers.", metavar="N")
    ] = 0,
    folds: Annotated[
        int,
        typer.Option(
            help="Train N more, each without one fold of the rows, which it labels.", metavar="N"
        ),
    ] = 0,
    embedding: EmbeddingOption = False,
    labels: LabelsOption = None,
    label: LabelOption = LABEL,
    text: TextOption = TEXT,
    text1: Text1Option = None,
    text2: Text2Option = None,
    id1: Id1Option = None,
    id2: Id2Option = None,
    functions: FunctionsOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: LearningRateOption = None,
    token_dropout: TokenDropoutOption = 0.0,
    ema: EmaOption = 0.0,
    memory: MemoryOption = False,
    label_smoothing: LabelSmoothingOption = 0.0,
    consistency: ConsistencyOption = 0.0,
    accumulation: AccumulationOption = 1,
    pair_head: PairHeadOption = "difference",
    embeddings: EmbeddingsOption = "random",
    ngrams: NgramsOption = 0,
    from_scratch: FromScratchOption = False,
    seed: SeedOption = 0,
    skip_bad_rows: SkipBadOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Train on labelled data, or pairs for embeddings: the teacher, or the student's control."""
    from codewren.run_directory import Run
    from codewren.verbs.finetune import ModelSource, finetune, read_shape
    from codewren_distill.settings import FreshStudent, Supervision
    from codewren_runtime.types import TaskKind

    output = Output(json=json, quiet=quiet)
    shape = read_shape(architecture) if architecture is not None else None
    if (checkpoint is None) == (shape is None):
        raise OptionError("give either --checkpoint or --architecture")
    fresh = FreshStudent(0.1, pair_head, embeddings, ngrams, from_scratch)
    source = ModelSource(checkpoint, shape, max_length, pair_encoding, fresh, data_flow)
    training = training_settings(
        seed,
        epochs,
        batch_size,
        learning_rate,
        token_dropout=token_dropout,
        ema=ema,
        memory=memory,
        label_smoothing=label_smoothing,
        consistency=consistency,
        accumulation=accumulation,
    )
    if valid is not None and valid_share:
        raise OptionError("give either --valid or --valid-share")
    supervision = Supervision(valid_share, patience, class_weights, freeze_layers)
    work = Run(run, output.reporter(), force)
    flags = DataFlags(
        text,
        None if embedding else label,
        text1,
        text2,
        id1,
        id2,
        functions,
        split_labels(labels),
        skip_bad_rows,
    )
    with work.locked(together=True):
        examples = read(data, flags, work.reporter)
        kind: TaskKind = "embedding" if embedding else "pair" if flags.pair else "single"
        task = examples.task(name, kind, normalisation)
        of_task = replace(flags, labels=examples.labels)
        held_out = read(valid, of_task, work.reporter) if valid is not None else None
        result = finetune(
            work,
            examples,
            task,
            source,
            training,
            into=into,
            supervision=supervision,
            valid=held_out,
            folds=folds,
        )
    if not output.result(result):
        output.line(
            f"{run / into}: {result['parameters']:,} parameters, "
            f"{result['examples']:,} examples, {result['seconds']:.0f} s, loss {result['loss']:.4f}"
        )
