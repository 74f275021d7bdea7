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


def command(
    run: RunOption = RUN,
    size: Annotated[
        str | None, typer.Option(help="Hard limit of the bundle.  [default: the search's]")
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Bits per weight: 8, 16 or 32.  [default: the search's]")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Labelled rows that no training saw, to calibrate on.", metavar="PATH"),
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
    """Turn the student into one quantized bundle, through gates of parity and size."""
    from codewren.run_directory import Run
    from codewren.verbs.export import ExportSettings, export

    output = Output(json=json, quiet=quiet)
    work = Run(run, output.reporter(), force)
    task = work.task()
    names = task.labels if task else None
    flags = DataFlags(text, label, text1, text2, id1, id2, functions, names, skip_bad_rows)
    validation = read(data, flags, work.reporter) if data else None
    with work.locked():
        result = export(work, size, bits, ExportSettings(threshold, long_inputs), validation)
    if not output.result(result):
        for gate in result["gates"]:
            output.line(f"{gate['gate']:<10} {gate['line']}")
        if calibration := result["decision"]["calibration"]:
            output.line(f"calibrated {_calibration(result['decision'], calibration)}")
        output.line(f"{run / 'model.wren'}: {result['size_bytes']:,} bytes")


def _calibration(decision: dict[str, Any], calibration: dict[str, Any]) -> str:
    line = (
        f"on {calibration['rows']:,} rows: temperature {decision['temperature']:.3g}, expected "
        f"calibration error {calibration['ece_before']:.3f} -> {calibration['ece_after']:.3f}"
    )
    if decision["threshold"] is not None:
        line += f", {decision['positive']} from {100 * decision['threshold']:.1f} %"
    return line
