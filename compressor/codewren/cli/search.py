"""compress search."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from codewren.cli.console import Output
from codewren.cli.options import (
    RUN,
    ForceOption,
    JsonOption,
    QuietOption,
    RunOption,
    SeedOption,
)

SHOWN = 5


def command(
    run: RunOption = RUN,
    size: Annotated[str, typer.Option(help="Hard limit of all that ships.")] = "3MB",
    bits: Annotated[int, typer.Option(help="Bits per weight as exported: 8, 16 or 32.")] = 8,
    space: Annotated[
        str, typer.Option(help="Search space: small, paper, or a TOML file.", metavar="NAME|FILE")
    ] = "small",
    kind: Annotated[
        Literal["single", "pair"], typer.Option(help="What the model reads; a run's own task wins.")
    ] = "single",
    num_labels: Annotated[
        int, typer.Option(min=2, help="Number of labels; a run's own task wins.")
    ] = 2,
    formula: Annotated[
        Literal["codewren", "paper"],
        typer.Option(help="Cost formula: exact, or the published one for comparison."),
    ] = "codewren",
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Enumerate the space and certify the optimum.")
    ] = False,
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Find the architecture with the most GFLOPs under a hard budget of bytes on disk."""
    from codewren.run_directory import Run
    from codewren.verbs.search import SearchSettings, search_architecture

    output = Output(json=json, quiet=quiet)
    settings = SearchSettings(size, bits, space, formula, exhaustive, seed)  # type: ignore[arg-type]
    work = Run(run, output.reporter(), force)
    with work.locked():
        task = work.task()
        if task is not None:
            kind, num_labels = task.kind, len(task.labels)
        result = search_architecture(work, settings, kind, num_labels)
    if not output.result(result):
        show(output, result)


def show(output: Output, result: dict[str, object]) -> None:
    """The best few candidates as a table."""
    candidates = result["candidates"]
    assert isinstance(candidates, list)
    rows = []
    for candidate in candidates[:SHOWN]:
        a = candidate["architecture"]
        rows.append(
            (
                str(a["vocab_size"]),
                str(a["hidden_size"]),
                str(a["num_layers"]),
                str(a["num_heads"]),
                str(a["intermediate_size"]),
                f"{candidate['parameters']:,}",
                f"{candidate['flops'] / 1e9:.4f}",
                f"{candidate['size_bytes']:,}",
            )
        )
    columns = ("vocab", "hidden", "layers", "heads", "interm.", "parameters", "GFLOPs", "bytes")
    output.table("Best architectures under the budget", columns, rows)
