"""compress bench."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from codewren.cli.console import Output
from codewren.cli.options import TEXT, JsonOption, QuietOption, SeedOption, TextOption
from codewren.kept import kept_bundle


def command(
    bundles: Annotated[
        list[Path],
        typer.Argument(
            help="Bundles, or names of kept models.", metavar="BUNDLE...", parser=kept_bundle
        ),
    ],
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            help="Folder or hub name that transformers loads, run in torch; more than once.",
            metavar="HF_MODEL",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Sources, or JSON lines (gzip accepted).  [default: Python's standard library]",
            metavar="PATH",
        ),
    ] = None,
    text: TextOption = TEXT,
    functions: Annotated[
        int, typer.Option("--functions", min=1, help="Functions to answer for, drawn by the seed.")
    ] = 100,
    passes: Annotated[
        int, typer.Option("--passes", min=1, help="Times that each function is answered.")
    ] = 5,
    threads: Annotated[
        list[int] | None,
        typer.Option(
            "--threads", min=1, help="Threads of the caller's; more than once.  [default: 1, cores]"
        ),
    ] = None,
    starts: Annotated[
        int, typer.Option("--starts", min=1, help="Fresh processes of each contestant.")
    ] = 10,
    max_length: Annotated[
        int, typer.Option("--max-length", min=8, help="Tokens that HF_MODEL reads.")
    ] = 400,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write bench.json, .png and .svg there.", metavar="DIR"),
    ] = None,
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure bundles on this machine: latency, throughput, cold start, memory and bytes."""
    from codewren.verbs.bench import BenchSettings, bench

    output = Output(json=json, quiet=quiet)
    settings = BenchSettings(
        tuple(bundles), tuple(against or ()), data, text, functions, passes,
        tuple(threads) if threads else None, starts, max_length, seed, out,
    )  # fmt: skip
    result = bench(settings, output.reporter())
    if not output.result(result):
        _show(output, result)


def _show(output: Output, result: Mapping[str, Any]) -> None:
    """Four tables and the ratios."""
    rows = result["contestants"]
    machine = result["machine"]
    output.line(
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load']}: {result['count']} "
        f"functions of {result['functions']}, median {result['median_characters']:,.0f} characters"
    )
    output.table(
        "One function at a time, one thread",
        ("", "p50 ms", "p95 ms", "CPU p50 ms", "a second and core", "CPU s per 1,000"),
        [
            (name, f"{row['wall_ms']['p50']:.3g}", f"{row['wall_ms']['p95']:.3g}",
             f"{row['cpu_ms']['p50']:.3g}", f"{row['per_second_per_core']:.4g}",
             f"{row['cpu_seconds_per_1000']:.3g}")
            for name, row in rows.items()
        ],
    )  # fmt: skip
    output.table(
        "By length of the input, in characters: CPU p50 ms",
        ("", *(group["characters"] for group in next(iter(rows.values()))["by_length"])),
        [(name, *(f"{g['cpu_ms']:.3g}" for g in row["by_length"])) for name, row in rows.items()],
    )
    output.table(
        "By threads of the caller's",
        ("", "threads", "p50 ms", "p95 ms", "a second", "a second and core", "CPU s per 1,000"),
        [
            (name, str(load["threads"]), f"{load['wall_ms']['p50']:.3g}",
             f"{load['wall_ms']['p95']:.3g}", f"{load['per_second']:.4g}",
             f"{load['per_second_per_core']:.4g}", f"{load['cpu_seconds_per_1000']:.3g}")
            for name, row in rows.items() for load in row["by_threads"]
        ],
    )  # fmt: skip
    output.table(
        f"A fresh process up to its first answer, median of {result['starts']}, and bytes on disk",
        ("", "wall ms", "CPU ms", "resident MB", "model", "libraries", "with what they need"),
        [(name, *_footprint(row)) for name, row in rows.items()],
    )
    for line in result["compared"]:
        low, high = line["interval"]
        output.line(
            f"{line['bundle']} takes {line['ratio']:g} times less CPU time than {line['peer']} "
            f"(95 % of resamplings: {low:g} to {high:g})"
        )


def _footprint(row: Mapping[str, Any]) -> tuple[str, ...]:
    start, install = row["first_answer"], row["install"]
    figures = [
        f"{start[key]['median']:,.0f}" if key in start else "–"
        for key in ("wall_ms", "cpu_ms", "resident_mb")
    ]
    sizes = (install["needed_bytes"], install["with_dependencies_bytes"])
    return (*figures, f"{row['model_bytes']:,}", *(f"{size / 1e6:,.0f} MB" for size in sizes))
