"""compress scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from codewren.cli.console import Output
from codewren.cli.options import JsonOption, LanguagesOption, QuietOption, split_labels
from codewren.kept import DEFAULT, kept_bundle, languages_of

if TYPE_CHECKING:
    from codewren.scan.findings import Finding
    from codewren.verbs.scan import ScanResult

FOUND = 1
MAX_ROWS = 50


def command(
    paths: Annotated[list[Path], typer.Argument(help="Source files and folders of them.")],
    bundle: Annotated[
        Path,
        typer.Option(
            "--bundle",
            help="A bundle, or the name of a kept model.",
            metavar="FILE|NAME",
            parser=kept_bundle,
        ),
    ] = Path(DEFAULT),
    label: Annotated[
        str | None,
        typer.Option("--label", help="Label to look for.  [default: the bundle's, or the last]"),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0,
            max=1,
            help="Least probability to report.  [default: the bundle's, or 0.5]",
        ),
    ] = None,
    min_lines: Annotated[
        int, typer.Option("--min-lines", min=1, help="Pairs: lines of a function at least.")
    ] = 5,
    explain: Annotated[
        int, typer.Option("--explain", min=0, help="Find the lines that mattered for so many.")
    ] = 5,
    sarif: Annotated[
        Path | None, typer.Option("--sarif", help="Write SARIF 2.1.0 there.", metavar="FILE")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="Hide the findings in it.", metavar="FILE")
    ] = None,
    write_baseline: Annotated[
        Path | None,
        typer.Option("--write-baseline", help="Take all findings as known.", metavar="FILE"),
    ] = None,
    fail_on: Annotated[
        Literal["new", "never"], typer.Option("--fail-on", help="Exit status 1 for findings.")
    ] = "new",
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Remember answers there.  [default: the user's cache]"),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Remember nothing.")] = False,
    languages: LanguagesOption = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Threads.  [default: the cores]")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Judge every function of a source tree, or find its clones: a table, SARIF, JSON."""
    from codewren.verbs.scan import ScanSettings, scan

    output = Output(json=json, quiet=quiet)
    settings = ScanSettings(
        bundle, label, threshold, min_lines, explain, sarif, baseline, write_baseline,
        cache, not no_cache, jobs, split_labels(languages) or languages_of(bundle),
    )  # fmt: skip
    result = scan(paths, settings, output.reporter())
    if not output.result(result.to_json()):
        _show(output, result)
    if result.findings and fail_on == "new" and write_baseline is None:
        raise typer.Exit(FOUND)


def _show(output: Output, result: ScanResult) -> None:
    """The most probable findings as a table, and what was scanned in words."""
    if result.findings:
        rows = [_row(finding) for finding in result.findings[:MAX_ROWS]]
        title = f"{result.task}: {result.label} with a probability of {result.threshold:g} or more"
        columns = ("where", "%", "function", "what mattered most, or its clones")
        output.table(title, columns, rows, columns[2:])
        if len(result.findings) > MAX_ROWS:
            more = len(result.findings) - MAX_ROWS
            output.line(f"and {more:,} less probable ones: --json and --sarif have them")
    skipped = "".join(f", {count:,} skipped ({why})" for why, count in result.skipped.items())
    output.line(
        f"{len(result.findings):,} findings ({result.known:,} known ones hidden) in "
        f"{result.functions:,} functions of {result.files:,} files{skipped}"
    )


def _row(finding: Finding) -> tuple[str, ...]:
    from codewren.scan.findings import shown

    own, *others = finding.places
    lines = [f"{shown(place.file)}:{place.start_line} {place.function}" for place in others[:5]]
    if len(others) > 5:
        lines.append(f"and {len(others) - 5} more")
    lines += [
        f"{r.start_line}: {' '.join(r.code.split())[:60]}  (-{100 * r.drop:.1f})"
        for r in finding.reasons
    ]
    where, share = f"{shown(own.file)}:{own.start_line}", f"{100 * finding.probability:.1f}"
    return _flat(where), share, _flat(own.function), "\n".join(map(_flat, lines))


def _flat(text: str) -> str:
    """On one line; names of files may hold line ends."""
    return text.replace("\n", "�")
