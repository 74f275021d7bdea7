"""compress export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

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
    QuietOption,
    RunOption,
    SkipBadOption,
    Text1Option,
    Text2Option,
    TextOption,
)

QuantChoice = Literal["auto", "fp32", "fp16", "int8", "int8-dynamic", "int8-static", "int4"]


def command(
    run: RunOption = RUN,
    size: Annotated[
        str | None, typer.Option(help="Hard limit of the bundle.  [default: the search's]")
    ] = None,
    quant: Annotated[
        QuantChoice | None,
        typer.Option(
            help="Precision; auto takes the fastest here that passes its gates.  "
            "[default: the search's bits]"
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Labelled rows that no training saw, for the gates and to calibrate on.  "
            "[default: gates on what distill kept]",
            metavar="PATH",
        ),
    ] = None,
    threshold: Annotated[
        str,
        typer.Option(
            help="Of the second label's probability: a number, accuracy, f1 or precision=NUMBER."
        ),
    ] = "0.5",
    long_inputs: Annotated[
        Literal["truncate", "split-mean", "split-max"],
        typer.Option(help="What becomes of code beyond the window."),
    ] = "truncate",
    label: LabelOption = LABEL,
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
    """Turn the student into one quantized bundle, through gates of parity, agreement and size."""
    from codewren.run_directory import Run
    from codewren.verbs.export import ExportSettings, export

    output = Output(json=json, quiet=quiet)
    work = Run(run, output.reporter(), force)
    task = work.task()
    names = task.labels if task else None
    flags = DataFlags(text, label, text1, text2, id1, id2, functions, names, skip_bad_rows)
    validation = read(data, flags, work.reporter) if data else None
    settings = ExportSettings(size, quant, threshold, long_inputs)
    with work.locked():
        result = export(work, settings, validation)
    if not output.result(result):
        show(output, result)
        if calibration := result["decision"]["calibration"]:
            output.line(f"calibrated {_calibration(result['decision'], calibration)}")
        output.line(f"{run / 'model.wren'}: {result['size_bytes']:,} bytes, {result['quant']}")


def show(output: Output, result: dict[str, Any]) -> None:
    """The precisions tried, if more than one was, and the verdicts on the one that ships."""
    rows = [
        (
            trial["quant"],
            f"{trial['size_bytes']:,}",
            f"{100 * trial['agreement']:.2f} %",
            f"{trial['p50_ms']:.2f}",
            f"{trial['p95_ms']:.2f}",
            "passes" if trial["passed"] else "fails",
        )
        for trial in result["trials"]
    ]
    if len(rows) > 1:
        columns = ("precision", "bytes", "agreement", "p50 ms", "p95 ms", "gates")
        output.table("Precisions on this CPU, one thread", columns, rows)
    for gate in result["gates"]:
        output.line(f"{gate['gate']:<10} {gate['line']}")
    if result["accuracy_change"] is not None:
        change = 100 * result["accuracy_change"]
        output.line(f"accuracy   {change:+.2f} points against torch, {result['samples']:,} samples")
    speed = result["latency"]
    output.line(
        f"latency    p50 {speed['p50_ms']:.2f} ms, p95 {speed['p95_ms']:.2f} ms, one thread"
    )


def _calibration(decision: dict[str, Any], calibration: dict[str, Any]) -> str:
    line = (
        f"on {calibration['rows']:,} rows: temperature {decision['temperature']:.3g}, expected "
        f"calibration error {calibration['ece_before']:.3f} -> {calibration['ece_after']:.3f}"
    )
    if decision["threshold"] is not None:
        line += f", {decision['positive']} from {100 * decision['threshold']:.1f} %"
    return line
