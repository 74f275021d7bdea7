"""Which lines of a flagged function mattered most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from codewren.occlusion import explain, within_window
from codewren.progress import Reporter
from codewren.scan.answers import Answers
from codewren.scan.files import SourceFile
from codewren.scan.findings import Finding, Reason
from codewren.scan.reading import place_of, read_file
from codewren.source import find_functions, language_of
from codewren_runtime.errors import DataError

__all__ = ["MAX_REASONS", "explained"]

MAX_REASONS = 3
LEAST = 0.0005  # what would be shown as 0.0 points is no reason


def explained(
    findings: Sequence[Finding], count: int, root: str, answers: Answers, reporter: Reporter
) -> list[Finding]:
    """The findings, the first `count` with the lines whose absence lowers the probability most.

    A function that has changed or gone since it was judged stays without.
    """
    if not findings or not count:
        return list(findings)
    fits = within_window(answers.bundle)
    told = []
    with reporter.step("explain", min(count, len(findings))) as bar:
        for finding in findings[:count]:
            text = _text(finding, root)
            reasons = () if text is None else _reasons(text, finding, answers, fits)
            told.append(replace(finding, reasons=reasons))
            bar.advance()
    return [*told, *findings[count:]]


def _reasons(
    text: str, finding: Finding, answers: Answers, fits: Callable[[str], bool]
) -> tuple[Reason, ...]:
    at = answers.task.labels.index(finding.label)
    explanation = explain(text, lambda part: float(answers(part)[at]), fits)
    start, lines = finding.places[0].start_line, explanation.lines
    return tuple(
        Reason(start + w.first, start + w.last, w.weight, "".join(lines[w.first : w.last + 1]))
        for w in explanation.weights
        if w.weight >= LEAST
    )[:MAX_REASONS]


def _text(finding: Finding, root: str) -> str | None:
    """The function's text, read once more."""
    (place,) = finding.places
    source = read_file(SourceFile(str(Path(root) / place.file), place.file))
    language = language_of(place.file)
    if isinstance(source, str) or language is None:
        return None
    try:
        functions = find_functions(source, language)
    except DataError:
        return None
    same = (f.text for f in functions if place_of(place.file, source, f) == place)
    return next(same, None)
