"""compress package."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from codewren.cli.console import Output
from codewren.cli.options import BundleArgument, JsonOption

NEXT = {
    "wheel": "python -m pip install {out}/*.whl",
    "npm": "npm pack {folder}, or npm publish {folder}",
    "web": "python -m http.server --directory {out}",
}


def command(
    bundle: BundleArgument,
    kind: Annotated[str, typer.Option(help="What to make: wheel, npm or web.")],
    name: Annotated[str, typer.Option(help="Name of the package, or title of the page.")],
    out: Annotated[Path, typer.Option(help="Folder to write, new or empty.", metavar="DIR")],
    package_version: Annotated[
        str, typer.Option(help="Version of the package, three numbers.")
    ] = "0.1.0",
    license: Annotated[
        str | None, typer.Option(help="SPDX licence of the model.  [default: not stated]")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a package for embedders from a bundle: a pip wheel, an npm package or a web page."""
    from codewren.verbs.package import package

    output = Output(json=json)
    result = package(bundle, kind, name, out, package_version, license)
    if not output.result(result):
        files = result["files"]
        what = f"{out / next(iter(files))}" if len(files) == 1 else f"{out}: {len(files)} files"
        output.line(f"{what}, {result['bytes']:,} bytes")
        # npm takes a/b for a repository, and a for a package of its registry.
        folder = out if out.is_absolute() else f"./{out}"
        names = {"out": quote(str(out)), "folder": quote(str(folder))}
        output.line(f"next: {NEXT[kind].format(**names)}")
