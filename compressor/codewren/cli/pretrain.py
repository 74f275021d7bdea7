"""compress pretrain."""

from __future__ import annotations

from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, read
from codewren.cli.options import (
    RUN,
    TEXT,
    AccumulationOption,
    BatchSizeOption,
    DataOption,
    EmaOption,
    EmbeddingsOption,
    EpochsOption,
    ForceOption,
    FunctionsOption,
    Id1Option,
    Id2Option,
    JsonOption,
    LearningRateOption,
    NormalisationOption,
    QuietOption,
    RunOption,
    SeedOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
    training_settings,
)


def command(
    data: DataOption,
    run: RunOption = RUN,
    normalisation: NormalisationOption = "raw",
    mask_share: Annotated[float, typer.Option(help="Share of the tokens that are hidden.")] = 0.15,
    valid_share: Annotated[
        float, typer.Option(help="Share of the texts that are held out to measure on.")
    ] = 0.05,
    token_types: Annotated[
        bool,
        typer.Option(
            "--token-types", help="Learn each token's kind too: keyword, name, type, literal…"
        ),
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(
            help="What the texts are in, for their kinds.  [default: c, java or python, as each "
            "text parses best]",
            metavar="NAME",
        ),
    ] = None,
    text: TextOption = TEXT,
    text1: Text1Option = None,
    text2: Text2Option = None,
    id1: Id1Option = None,
    id2: Id2Option = None,
    functions: FunctionsOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: LearningRateOption = None,
    ema: EmaOption = 0.0,
    accumulation: AccumulationOption = 1,
    embeddings: EmbeddingsOption = "random",
    seed: SeedOption = 0,
    skip_bad_rows: SkipBadOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Pre-train the run's architecture on unlabelled code, for distill to start from."""
    from codewren.run_directory import Run
    from codewren.verbs.pretrain import PretrainSettings, pretrain

    output = Output(json=json, quiet=quiet)
    settings = PretrainSettings(
        mask_share, valid_share, token_types, language, embeddings=embeddings
    )
    training = training_settings(
        seed,
        epochs,
        batch_size,
        learning_rate,
        token_dropout=0.0,
        ema=ema,
        memory=False,
        label_smoothing=0.0,
        consistency=0.0,
        accumulation=accumulation,
    )
    work = Run(run, output.reporter(), force)
    flags = DataFlags(text, None, text1, text2, id1, id2, functions, skip_bad_rows=skip_bad_rows)
    with work.locked(together=True):
        texts = read(data, flags, work.reporter)
        result = pretrain(work, texts, normalisation, settings, training)
    if not output.result(result):
        kinds = result["kind_accuracy"]
        output.line(
            f"{run / 'pretrained'}: {result['texts']:,} texts, {result['seconds']:.0f} s; of "
            f"{result['held_out']:,} held out: loss {result['loss']:.3f}, "
            f"{100 * result['accuracy']:.1f} % of hidden tokens right (the commonest token: "
            f"{100 * result['commonest']:.1f} %)"
            + ("" if kinds is None else f", {100 * kinds:.1f} % of kinds")
        )
