"""compress augment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, fields_of, read
from codewren.cli.options import (
    TEXT,
    DataOption,
    FunctionsOption,
    Id1Option,
    Id2Option,
    JsonOption,
    LanguageOption,
    QuietOption,
    SeedOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
    language_named,
)
from codewren.kept import kept_bundle


def command(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="JSON lines to write; .gz zips them.", metavar="FILE")],
    copies: Annotated[int, typer.Option(min=0, help="Rewritings of each row.")] = 1,
    attack: Annotated[
        Path | None,
        typer.Option(
            help="Add what fools this bundle, kept model, teacher or student.",
            metavar="MODEL",
            parser=kept_bundle,
        ),
    ] = None,
    queries: Annotated[int, typer.Option(min=4, help="Answers asked of it for one row.")] = 100,
    language: LanguageOption = None,
    text: TextOption = TEXT,
    text1: Text1Option = None,
    text2: Text2Option = None,
    id1: Id1Option = None,
    id2: Id2Option = None,
    functions: FunctionsOption = None,
    seed: SeedOption = 0,
    skip_bad_rows: SkipBadOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Multiply unlabelled code by rewriting; copies have the soft label of their original."""
    from codewren.verbs.augment import AugmentSettings, Opponent, augment

    output = Output(json=json, quiet=quiet)
    reporter = output.reporter()
    settings = AugmentSettings(copies, seed, language_named(language))
    flags = DataFlags(text, None, text1, text2, id1, id2, functions, skip_bad_rows=skip_bad_rows)
    examples = read(data, flags, reporter)
    opponent = None
    if attack is not None:
        from codewren.attack.neighbours import from_embeddings
        from codewren.target import open_target

        opponent = Opponent(open_target(attack), from_embeddings(attack), queries)
    result = augment(reporter, examples, fields_of(flags), out, settings, opponent)
    if not output.result(result):
        output.line(
            f"{out}: {result['rows']:,} rows, {result['copies']:,} copies, "
            f"{result['adversarial']:,} that fool the model"
        )
