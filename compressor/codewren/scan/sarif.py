"""Findings as SARIF 2.1.0 (OASIS, 2020), as code scanning services and editors read it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from codewren import __version__
from codewren.scan.findings import Finding, Reason, shown
from codewren.scan.reading import Place

__all__ = ["MAX_RESULTS", "SarifRun", "to_sarif"]

# What GitHub takes in one upload.
MAX_RESULTS = 5_000
MAX_RELATED = 50
FINGERPRINT = "codewrenFunction/v1"
BASE = "%SRCROOT%"
SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


@dataclass(frozen=True, slots=True)
class SarifRun:
    """What a report says beside its findings: the model's task, the rule, the root, and notes."""

    task: str
    rule: str
    label: str
    root: str
    notes: tuple[str, ...] = ()


def to_sarif(run: SarifRun, findings: Sequence[Finding]) -> dict[str, Any]:
    """The log of one run; of more than `MAX_RESULTS` findings the first ones, and a note."""
    notes = list(run.notes)
    if len(findings) > MAX_RESULTS:
        notes.append(f"{len(findings):,} findings; the {MAX_RESULTS:,} most probable are here")
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(run)},
                "automationDetails": {"id": run.rule.rsplit("/", 1)[0] + "/"},
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {BASE: {"uri": Path(run.root).as_uri().rstrip("/") + "/"}},
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": note}} for note in notes
                        ],
                    }
                ],
                "results": [_result(finding) for finding in findings[:MAX_RESULTS]],
            }
        ],
    }


def _driver(run: SarifRun) -> dict[str, Any]:
    what = f"The model for {run.task} answers {run.label!r} for this function."
    rule = {
        "id": run.rule,
        "shortDescription": {"text": f"{run.task}: {run.label}"},
        "fullDescription": {"text": what},
        "help": {"text": f"{what} It is a guess with a probability; read the code."},
        "defaultConfiguration": {"level": "warning"},
    }
    return {"name": "codewren", "semanticVersion": __version__, "rules": [rule]}


def _result(finding: Finding) -> dict[str, Any]:
    own, *others = finding.places
    related = [_location(place, place.function) for place in others[:MAX_RELATED]]
    related += [_reason(own, reason) for reason in finding.reasons]
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": 0,
        "level": finding.level,
        "rank": round(100 * finding.probability, 4),
        "message": {"text": _message(finding)},
        "locations": [
            {
                **_location(own),
                "logicalLocations": [{"name": own.function, "kind": "function"}],
            }
        ],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
    }
    if related:
        result["relatedLocations"] = [
            {"id": number, **location} for number, location in enumerate(related, 1)
        ]
    return result


def _message(finding: Finding) -> str:
    own, *others = finding.places
    share = f"{100 * finding.probability:.1f} %"
    if not others:
        return f"{own.function}: {finding.label} with a probability of {share}."
    first = f"{others[0].function} ({shown(others[0].file)}:{others[0].start_line})"
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    return f"{own.function}: {finding.label} as {first}{more}, with a probability of {share}."


def _location(place: Place, message: str = "") -> dict[str, Any]:
    region = {
        "startLine": place.start_line,
        "startColumn": place.start_column,
        "endLine": place.end_line,
        "endColumn": place.end_column,
    }
    location: dict[str, Any] = {"physicalLocation": {**_artifact(place), "region": region}}
    return {**location, "message": {"text": message}} if message else location


def _reason(place: Place, reason: Reason) -> dict[str, Any]:
    region = {"startLine": reason.start_line, "endLine": reason.end_line}
    text = f"without this the probability is {100 * reason.drop:.1f} points lower"
    return {
        "physicalLocation": {**_artifact(place), "region": region},
        "message": {"text": text},
    }


def _artifact(place: Place) -> dict[str, Any]:
    # Bytes, so that a name that is no UTF-8 keeps them.
    return {"artifactLocation": {"uri": quote(os.fsencode(place.file)), "uriBaseId": BASE}}
