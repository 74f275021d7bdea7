"""Options that several verbs share, written once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from codewren.kept import kept_bundle
from codewren_runtime.types import MAX_SEED

if TYPE_CHECKING:
    from codewren.source import Language
    from codewren_distill.settings import TrainingSettings

RunOption = Annotated[Path, typer.Option("--run", help="The run directory.", metavar="DIR")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")]
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=MAX_SEED, help="Seed of everything random.")
]
ForceOption = Annotated[bool, typer.Option("--force", help="Do it again, even if nothing changed.")]

DataOption = Annotated[
    Path,
    typer.Option(
        "--data", help="JSON lines (gzip accepted), or a folder of sources.", metavar="PATH"
    ),
]
TextOption = Annotated[
    str, typer.Option("--text", help="Field that holds the code.", metavar="FIELD")
]
LabelOption = Annotated[
    str, typer.Option("--label", help="Field that holds the label.", metavar="FIELD")
]
Text1Option = Annotated[
    str | None, typer.Option("--text1", help="Pairs: field of the first code.", metavar="FIELD")
]
Text2Option = Annotated[
    str | None, typer.Option("--text2", help="Pairs: field of the second code.", metavar="FIELD")
]
Id1Option = Annotated[
    str | None,
    typer.Option("--id1", help="Pairs by id: field of the first id.", metavar="FIELD"),
]
Id2Option = Annotated[
    str | None,
    typer.Option("--id2", help="Pairs by id: field of the second id.", metavar="FIELD"),
]
FunctionsOption = Annotated[
    Path | None,
    typer.Option(
        "--functions",
        help="Pairs by id: JSON lines with the fields id and code.",
        metavar="FILE",
    ),
]
LabelsOption = Annotated[
    str | None,
    typer.Option("--labels", help="Label names in index order, comma-separated.", metavar="A,B"),
]
SkipBadOption = Annotated[
    bool, typer.Option("--skip-bad-rows", help="Report bad rows and go on without them.")
]
EmbeddingOption = Annotated[
    bool, typer.Option("--embedding", help="The task is embeddings for code search, no labels.")
]
EpochsOption = Annotated[
    int | None, typer.Option("--epochs", help="Passes over the data.  [default: 5]")
]
BatchSizeOption = Annotated[
    int | None, typer.Option("--batch-size", help="Examples per step.  [default: 32]")
]
LearningRateOption = Annotated[
    float | None, typer.Option("--learning-rate", help="Peak learning rate.  [default: 0.0005]")
]
TokenDropoutOption = Annotated[
    float, typer.Option("--token-dropout", help="Mean share of tokens hidden in training.")
]
EmaOption = Annotated[
    float,
    typer.Option("--ema", help="Decay of the weights' moving average that is kept; 0: the last."),
]
LabelSmoothingOption = Annotated[
    float,
    typer.Option("--label-smoothing", help="Probability that plain labels share among all labels."),
]
ConsistencyOption = Annotated[
    float,
    typer.Option(
        "--consistency",
        help="Weight of answering as the weights' moving average does, with --ema.",
    ),
]
AccumulationOption = Annotated[
    int,
    typer.Option(
        "--accumulation",
        help="Parts that a batch goes in, for the same step in less memory.",
    ),
]
MemoryOption = Annotated[
    bool,
    typer.Option("--memory", help="Pairs whose texts recur: an epoch is a pass over the texts."),
]
PairHeadOption = Annotated[
    Literal["difference", "shared"],
    typer.Option("--pair-head", help="A new student's, or a checkpoint's, head for pairs."),
]
EmbeddingsOption = Annotated[
    Literal["random", "cooccurrence"],
    typer.Option("--embeddings", help="What a new student's token embeddings start from."),
]
NgramsOption = Annotated[
    int,
    typer.Option(
        "--ngrams", help="Buckets of a linear model of n-grams beside a new student; 0: none."
    ),
]

FromScratchOption = Annotated[
    bool, typer.Option("--from-scratch", help="Leave the run's pre-trained encoder aside.")
]
NormalisationOption = Annotated[
    Literal["structure", "published", "words", "raw", "nameless"],
    typer.Option(
        "--normalisation",
        help="Student text: lines kept, lower case joined as published, words, all of it, or all "
        "but variables' names.",
    ),
]

LanguageOption = Annotated[
    str | None,
    typer.Option(
        "--language", help="c, java or python.  [default: what each text parses as]", metavar="NAME"
    ),
]
LanguagesOption = Annotated[
    str | None,
    typer.Option(
        "--languages",
        help="Judge these alone, comma-separated.  [default: a kept model's own, or all]",
        metavar="A,B",
    ),
]
BundleArgument = Annotated[
    Path,
    typer.Argument(
        help="A bundle, or the name of a kept model.", metavar="BUNDLE", parser=kept_bundle
    ),
]

RUN = Path("run")
TEXT, LABEL = "func", "target"


def training_settings(
    seed: int,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    *,
    token_dropout: float,
    ema: float,
    memory: bool,
    label_smoothing: float,
    consistency: float,
    accumulation: int,
) -> TrainingSettings:
    """The defaults of TrainingSettings under the flags that were given."""
    from codewren_distill.settings import TrainingSettings

    defaults = TrainingSettings(
        seed=seed,
        token_dropout=token_dropout,
        ema=ema,
        memory=memory,
        label_smoothing=label_smoothing,
        consistency=consistency,
        accumulation=accumulation,
    )
    return replace(
        defaults,
        epochs=defaults.epochs if epochs is None else epochs,
        batch_size=defaults.batch_size if batch_size is None else batch_size,
        learning_rate=defaults.learning_rate if learning_rate is None else learning_rate,
    )


def split_labels(labels: str | None) -> tuple[str, ...] | None:
    """`--labels safe,vulnerable` as a tuple."""
    return None if labels is None else tuple(name.strip() for name in labels.split(","))


def language_named(name: str | None) -> Language | None:
    """The language of `--language`; OptionError for one that cannot be rewritten."""
    from codewren.rewriting import LANGUAGES
    from codewren_runtime.errors import OptionError

    if name is not None and name not in {str(language) for language in LANGUAGES}:
        raise OptionError(f"--language is one of {', '.join(LANGUAGES)}, not {name!r}")
    return next((language for language in LANGUAGES if language == name), None)
