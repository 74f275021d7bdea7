"""compress search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from codewren.cli.console import Output
from codewren.cli.data import DataFlags, read
from codewren.cli.options import (
    LABEL,
    RUN,
    TEXT,
    ForceOption,
    FunctionsOption,
    Id1Option,
    Id2Option,
    JsonOption,
    LabelOption,
    LabelsOption,
    NgramsOption,
    QuietOption,
    RunOption,
    SeedOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
    split_labels,
)

if TYPE_CHECKING:
    from codewren.run_directory import Run
    from codewren_runtime.types import Task, TaskKind

SHOWN = 8


def command(
    run: RunOption = RUN,
    size: Annotated[str, typer.Option(help="Hard limit of all that ships.")] = "3MB",
    bits: Annotated[int, typer.Option(help="Bits per weight as exported: 8, 16 or 32.")] = 8,
    latency: Annotated[
        str | None, typer.Option(help="Hard limit of one prediction, such as 5ms; see calibrate.")
    ] = None,
    characters: Annotated[
        int, typer.Option(min=1, help="Length of the text that latency is predicted for.")
    ] = 950,
    latency_model: Annotated[
        Path | None,
        typer.Option(help="Latency model of another CPU, made by calibrate.", metavar="FILE"),
    ] = None,
    space: Annotated[
        str,
        typer.Option(help="Search space: small, paper, wide, or a TOML file.", metavar="NAME|FILE"),
    ] = "small",
    proxy: Annotated[
        Literal["flops", "executed", "parameters"],
        typer.Option(help="What stands for capacity."),
    ] = "executed",
    pareto: Annotated[
        bool, typer.Option("--pareto", help="The front of size, latency and capacity (NSGA-II).")
    ] = False,
    finalists: Annotated[
        int, typer.Option(min=0, help="Train this many of the front on --data; take the best.")
    ] = 0,
    rows: Annotated[int, typer.Option(min=32, help="Labelled rows that finalists see.")] = 4_000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of the finalists' first round.")] = 2,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Finalists at once.  [default: one per core]")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Train finalists on this Dask cluster.", metavar="ADDRESS")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Labelled rows for --finalists.", metavar="PATH")
    ] = None,
    labels: LabelsOption = None,
    label: LabelOption = LABEL,
    text: TextOption = TEXT,
    text1: Text1Option = None,
    text2: Text2Option = None,
    id1: Id1Option = None,
    id2: Id2Option = None,
    functions: FunctionsOption = None,
    skip_bad_rows: SkipBadOption = False,
    kind: Annotated[
        Literal["single", "pair", "embedding"],
        typer.Option(help="What the model is for; a run's own task wins."),
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
    ngrams: NgramsOption = 0,
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Find the architecture of most capacity under a hard budget of bytes and milliseconds."""
    from codewren.run_directory import Run
    from codewren.verbs.finalists import FinalistSettings
    from codewren.verbs.search import SearchSettings, search_architecture

    output = Output(json=json, quiet=quiet)
    settings = SearchSettings(
        size, bits, space, formula, proxy, latency, characters,  # type: ignore[arg-type]
        None if latency_model is None else str(latency_model), exhaustive, pareto, finalists,
        ngrams, seed,
    )  # fmt: skip
    work = Run(run, output.reporter(), force)
    flags = DataFlags(
        text, label, text1, text2, id1, id2, functions, split_labels(labels), skip_bad_rows
    )
    with work.locked():
        examples = None if data is None else read(data, flags, work.reporter)
        if examples is not None:
            kind, named = "pair" if flags.pair else "single", examples.labels
        else:
            named = () if kind == "embedding" else tuple(map(str, range(num_labels)))
        task = _task(work, kind, named)
        training = FinalistSettings(rows, epochs, jobs, dask)
        result = search_architecture(work, settings, task, examples, training)
    if not output.result(result):
        show(output, result)


def _task(run: Run, kind: TaskKind, labels: tuple[str, ...]) -> Task:
    from codewren_runtime.types import Task

    return run.task() or Task("task", kind, labels)


def show(output: Output, result: dict[str, Any]) -> None:
    """The best few candidates as a table, and what the finalists measured."""
    finalists = result.get("finalists")
    quality = _quality(finalists) if finalists else {}
    rows = []
    for candidate in result["candidates"][: len(quality) or SHOWN]:
        a = candidate["architecture"]
        genes = ("vocab_size", "hidden_size", "num_layers", "num_heads", "intermediate_size")
        extra = [a["max_length"], a["embedding_size"], a["shared_layers"]]
        latency = candidate["latency_ms"]
        rows.append(
            (
                *(str(a[gene]) for gene in genes),
                "/".join(map(str, extra)),
                f"{candidate['parameters']:,}",
                f"{candidate['flops'] / 1e9:.4f}",
                f"{candidate['size_bytes']:,}",
                "–" if latency is None else f"{latency:.2f}",
                " + ".join(candidate["limited_by"]) or "space",
                *([quality[str(a)]] if quality else []),
            )
        )
    columns = ["vocab", "hidden", "layers", "heads", "interm.", "length/emb./shared"]
    columns += ["parameters", "GFLOPs", "bytes", "ms", "limited by"]
    front = "Front of size, latency and capacity" if result["pareto"] else "Best architectures"
    output.table(f"{front} under the budget", columns + (["accuracy %"] if quality else []), rows)
    if finalists:
        known = finalists["rank_correlations"].items()
        shown = ", ".join(f"{k} {'undefined' if v is None else f'{v:+.2f}'}" for k, v in known)
        output.line(f"Rank correlation with accuracy after the first round: {shown}")


def _quality(finalists: dict[str, Any]) -> dict[str, str]:
    """Accuracy of each finalist in the longest round that it reached, with that round's epochs."""
    last: dict[str, str] = {}
    for each in finalists["rounds"]:
        for row in each["results"]:
            text = f"{100 * row['accuracy']:.2f} after {each['epochs']}"
            last[str(row["architecture"])] = text
    return last
