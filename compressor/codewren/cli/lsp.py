"""compress lsp."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewren.kept import kept_bundle


def command(
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle",
            help="A bundle, or the name of a kept model; the editor's settings win.",
            metavar="FILE|NAME",
            parser=kept_bundle,
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, max=1, help="Least probability to report.")
    ] = 0.5,
    log: Annotated[
        Path | None, typer.Option("--log", help="Write what is done to this file.", metavar="FILE")
    ] = None,
) -> None:
    """Serve an editor: diagnostics as functions change, over stdin and stdout."""
    from codewren.lsp import CodeServer, Settings, complain_in_lines, log_to

    if log is None:
        complain_in_lines()
    else:
        log_to(log)
    CodeServer(Settings(bundle=bundle, threshold=threshold)).serve()
