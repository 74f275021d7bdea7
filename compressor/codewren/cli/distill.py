"""compress distill."""

from __future__ import annotations

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
    LearningRateOption,
    MemoryOption,
    NgramsOption,
    PairHeadOption,
    QuietOption,
    RunOption,
    SeedOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
    TokenDropoutOption,
    training_settings,
)


def command(
    data: DataOption,
    run: RunOption = RUN,
    text: TextOption = TEXT,
    text1: Text1Option = None,
    text2: Text2Option = None,
    id1: Id1Option = None,
    id2: Id2Option = None,
    functions: FunctionsOption = None,
    loss: Annotated[
        Literal["kl", "mse"], typer.Option(help="KL at a temperature, or squared logit error.")
    ] = "kl",
    temperature: Annotated[float, typer.Option(help="Softens both sides of the KL.")] = 1.0,
    hard_weight: Annotated[
        float, typer.Option(help="Share of the loss that the rows' own labels have, 0 to 1.")
    ] = 0.0,
    qat: Annotated[
        Literal["int8", "int4"] | None,
        typer.Option(help="Train for weights rounded to this precision, as export stores them."),
    ] = None,
    hidden_weight: Annotated[
        float, typer.Option(help="Weight of the teacher's hidden states, with label --states.")
    ] = 0.0,
    relation_weight: Annotated[
        float, typer.Option(help="Weight of its distances between texts, with label --states.")
    ] = 0.0,
    label: LabelOption = LABEL,
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
    """Train the run's architecture from its soft labels, on the data that was labelled."""
    from codewren.run_directory import Run
    from codewren.verbs.distill import DistillSettings, distill
    from codewren_distill.settings import FreshStudent

    output = Output(json=json, quiet=quiet)
    fresh = FreshStudent(
        pair_head=pair_head, embeddings=embeddings, ngrams=ngrams, from_scratch=from_scratch
    )
    settings = DistillSettings(
        loss, temperature, hard_weight, fresh, qat, hidden_weight, relation_weight
    )
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
    work = Run(run, output.reporter(), force)
    with work.locked(together=True):
        task = work.task() if hard_weight else None
        flags = DataFlags(
            text,
            label if hard_weight else None,
            text1,
            text2,
            id1,
            id2,
            functions,
            task.labels if task else None,
            skip_bad_rows,
        )
        result = distill(work, read(data, flags, work.reporter), settings, training)
    if not output.result(result):
        output.line(
            f"{run / 'student'}: {result['parameters']:,} parameters, "
            f"{result['examples']:,} examples, {result['seconds']:.0f} s, loss {result['loss']:.4f}"
        )
