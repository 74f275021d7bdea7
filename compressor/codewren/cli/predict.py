"""compress predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.options import BundleArgument, JsonOption


def command(
    bundle: BundleArgument,
    files: Annotated[
        list[Path],
        typer.Argument(help="Source files, - for stdin; a pair model takes them two by two."),
    ],
    json: JsonOption = False,
) -> None:
    """Answer for source files; needs only the base install."""
    from codewren.verbs.predict import predict_files

    output = Output(json=json)
    answers = predict_files(bundle, files)
    if not output.result(answers):
        for answer in answers:
            names = "  ".join(name.replace("\n", "�") for name in answer["files"])
            calibrated = ", calibrated" if answer["calibrated"] else ""
            probability = f"{100 * answer['probability']:.1f} %{calibrated}"
            output.line(f"{names}  {answer['label']}  {probability}")
