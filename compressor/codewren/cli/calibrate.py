"""compress calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.options import ForceOption, JsonOption, QuietOption, SeedOption


def command(
    architectures: Annotated[
        int, typer.Option(min=8, help="Random architectures to measure.")
    ] = 48,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.  [default: this CPU's, in the cache]", metavar="FILE"),
    ] = None,
    seed: SeedOption = 0,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Measure this CPU, so that search can predict the latency of any architecture."""
    from codewren.verbs.calibrate import calibrate

    output = Output(json=json, quiet=quiet)
    result = calibrate(
        output.reporter(), architectures=architectures, seed=seed, out=out, force=force
    )
    if output.result(result):
        return
    rows = [(part, f"{cost:.5g}") for part, cost in result["coefficients"].items()]
    output.table(f"{result['cpu']}, onnxruntime {result['onnxruntime']}", ("part", "ms"), rows)
    output.line(
        f"{result['path']}: {result['measurements']} measurements of "
        f"{result['architectures']} architectures; error on architectures not seen: median "
        f"{100 * result['median_error']:.1f} %, 90th percentile {100 * result['p90_error']:.1f} %"
    )
