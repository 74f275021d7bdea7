"""compress attack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, check_kind, fields_of, read
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
    LanguageOption,
    QuietOption,
    RunOption,
    SeedOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
    language_named,
)
from codewren.kept import kept_bundle
from codewren_runtime.errors import OptionError

if TYPE_CHECKING:
    from codewren.data import Dataset
    from codewren.verbs.attack import Sources


def command(
    models: Annotated[
        list[Path],
        typer.Argument(
            help="Bundles, names of kept models, or folders of teachers and students.",
            metavar="MODEL...",
            parser=kept_bundle,
        ),
    ],
    data: DataOption,
    run: RunOption = RUN,
    queries: Annotated[int, typer.Option(min=4, help="Answers asked for one example.")] = 100,
    rows: Annotated[
        int | None, typer.Option(min=1, help="Rows to attack, evenly spread.  [default: all]")
    ] = None,
    substitutes: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines with an id and substitutes: {name: [new, ...]}.  "
            "[default: by the model's token embeddings]",
            metavar="FILE",
        ),
    ] = None,
    row_id: Annotated[
        str, typer.Option("--id", help="Field that joins data and substitutes.", metavar="FIELD")
    ] = "idx",
    mlm: Annotated[
        Path | None,
        typer.Option(help="Substitutes by this masked language model instead.", metavar="DIR"),
    ] = None,
    language: LanguageOption = None,
    label: LabelOption = LABEL,
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
    force: ForceOption = False,
) -> None:
    """Rename local variables until a right answer changes: how many do, and at what cost."""
    from codewren.run_directory import Run
    from codewren.verbs.attack import AttackSettings, attack, open_targets

    output = Output(json=json, quiet=quiet)
    work = Run(run, output.reporter(), force)
    settings = AttackSettings(queries, rows, seed, language_named(language))
    targets = open_targets(models)
    names = targets[0].task.labels
    flags = DataFlags(text, label, text1, text2, id1, id2, functions, names, skip_bad_rows)
    check_kind(flags, models[0], targets[0].task)
    with work.locked():
        examples = read(data, flags, work.reporter)
        sources, candidates = _sources(examples, flags, substitutes, row_id, mlm)
        result = attack(work, targets, examples, sources, settings, candidates=candidates)
    if not output.result(result):
        _show(output, result)


def _sources(
    data: Dataset, flags: DataFlags, substitutes: Path | None, row_id: str, mlm: Path | None
) -> tuple[Sources, str]:
    """Where each model's substitutes come from, and a word for it that names its content."""
    from codewren.attack import from_file
    from codewren_runtime.files import file_sha256

    if substitutes is not None and mlm is not None:
        raise OptionError("attack: substitutes come from --substitutes or from --mlm, not both")
    if substitutes is not None:
        source = from_file(substitutes, data, row_id, fields_of(flags))
        digest = file_sha256(substitutes)[:16]
        return lambda _: source, f"{substitutes.name}, sha256 {digest}, by {row_id}"
    if mlm is not None:
        from codewren.attack.masked import from_masked_model

        guesses = from_masked_model(mlm)
        return lambda _: guesses, f"{mlm.name}, sha256 {file_sha256(mlm)[:16]}"
    from codewren.attack.neighbours import from_embeddings

    return lambda target: from_embeddings(target.path), "token embeddings"


COLUMNS = ("model", "accuracy", "under attack", "fell", "queries", "of a flip", "names changed")


def _show(output: Output, result: dict[str, Any]) -> None:
    rows = result["rows"]
    title = f"{rows[0]['functions']:,} rows, {result['queries']} queries, {result['candidates']}"
    output.table(title, COLUMNS, [_cells(row) for row in rows])
    for row in rows:
        for found in row["examples"][:2]:
            names = ", ".join(f"{old} → {new}" for old, new in found["renaming"].items())
            output.line(
                f"{Path(row['model']).name}, line {found['line']}: {names}: "
                f"{100 * found['before']:.1f} % → {100 * found['after']:.1f} %"
            )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["model"],
        f"{100 * row['accuracy']:.1f} %",
        f"{100 * row['accuracy_under_attack']:.1f} %",
        f"{row['flipped']} of {row['right']}, {100 * row['success']:.1f} %",
        f"{row['queries_mean']:.1f}",
        f"{row['queries_of_a_flip']:.0f}",
        f"{row['names_changed']:.1f}",
    )
