"""compress inspect."""

from __future__ import annotations

from typing import Any

from codewren.cli.console import Output
from codewren.cli.options import BundleArgument, JsonOption


def command(
    bundle: BundleArgument,
    json: JsonOption = False,
) -> None:
    """Show what is in a bundle, after every check; needs only the base install."""
    from codewren_runtime import read_bundle

    output = Output(json=json)
    checked = read_bundle(bundle)
    manifest = checked.manifest.to_json()
    if output.result({"bundle": str(bundle), "size_bytes": checked.size_bytes, **manifest}):
        return
    rows = [("bytes on disk", f"{checked.size_bytes:,}"), *_lines(manifest)]
    output.table(str(bundle), ("what", "value"), rows)


def _lines(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """The manifest's values, a line each, with the path to them in front."""
    lines: list[tuple[str, str]] = []
    for name, value in manifest.items():
        if isinstance(value, dict):
            lines += [(f"{name}.{key}", text) for key, text in _lines(value)]
        elif isinstance(value, list):
            lines.append((name, ", ".join(map(str, value))))
        else:
            lines.append((name, f"{value:,}" if type(value) is int else str(value)))
    return lines
