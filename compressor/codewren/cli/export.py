"""compress export."""

from __future__ import annotations

from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.options import RUN, ForceOption, JsonOption, QuietOption, RunOption


def command(
    run: RunOption = RUN,
    size: Annotated[
        str | None, typer.Option(help="Hard limit of the bundle.  [default: the search's]")
    ] = None,
    bits: Annotated[
        int | None, typer.Option(help="Bits per weight: 8, 16 or 32.  [default: the search's]")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    force: ForceOption = False,
) -> None:
    """Turn the student into one quantized bundle, through gates of parity and size."""
    from codewren.run_directory import Run
    from codewren.verbs.export import export

    output = Output(json=json, quiet=quiet)
    work = Run(run, output.reporter(), force)
    with work.locked():
        result = export(work, size, bits)
    if not output.result(result):
        for gate in result["gates"]:
            output.line(f"{gate['gate']:<10} {gate['line']}")
        output.line(f"{run / 'model.wren'}: {result['size_bytes']:,} bytes")
