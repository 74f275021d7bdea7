"""Findings as an editor shows them."""

from __future__ import annotations

from lsprotocol import types

from codewren.lsp.engine import Finding, Like
from codewren.lsp.lines import Place
from codewren.lsp.located import Located

__all__ = ["SOURCE", "diagnostic", "text_range", "too_large"]

SOURCE = "codewren"
# As many like functions are named with one clone.
MOST_RELATED = 5
# From this probability on a finding is a warning, below it information.
SURE = 0.9
WIDTH = 80


def diagnostic(finding: Finding) -> types.Diagnostic:
    """A finding, on the function's name."""
    related = [_related(like) for like in finding.like[:MOST_RELATED]]
    return types.Diagnostic(
        text_range(*finding.function.mark),
        f"{_name(finding.function)}: {finding.label}, {finding.probability:.0%}",
        severity=_severity(finding.probability),
        code=finding.rule,
        source=SOURCE,
        related_information=related or None,
    )


def too_large(limit: int) -> types.Diagnostic:
    """In place of findings: the document has more than `limit` characters."""
    return types.Diagnostic(
        text_range((0, 0), (0, 0)),
        f"not judged: over {limit:,} characters; raise codewren.maxSize and open the file again",
        severity=types.DiagnosticSeverity.Information,
        code="too-large",
        source=SOURCE,
    )


def text_range(start: Place, end: Place) -> types.Range:
    """The protocol's range between two places."""
    return types.Range(types.Position(*start), types.Position(*end))


def _severity(probability: float) -> types.DiagnosticSeverity:
    """A model of 3 MB is a hint to look; it never draws an error."""
    if probability >= SURE:
        return types.DiagnosticSeverity.Warning
    return types.DiagnosticSeverity.Information


def _related(like: Like) -> types.DiagnosticRelatedInformation:
    place = types.Location(like.uri, text_range(*like.function.mark))
    return types.DiagnosticRelatedInformation(
        place, f"{_name(like.function)}: {like.label}, {like.probability:.0%}"
    )


def _name(function: Located) -> str:
    """The name, unless it is an expression that would fill the window."""
    return function.name if len(function.name) <= WIDTH else function.name[: WIDTH - 1] + "…"
