"""What a scan has to say: findings, their fingerprints, and a baseline of known ones."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from codewren.scan.reading import Place
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json, write_json

__all__ = [
    "Finding",
    "Level",
    "Reason",
    "Verdict",
    "fingerprinted",
    "read_baseline",
    "rule_id",
    "shown",
    "unknown",
    "write_baseline",
]

Level = Literal["note", "warning", "error"]
ERROR_FROM, WARNING_FROM = 0.9, 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What makes a finding: a rule, the label that it stands for, and its least probability."""

    rule: str
    label: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Lines of a file without which the probability is lower by `drop`; `code` is their text."""

    start_line: int
    end_line: int
    drop: float
    code: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A function, or a group of functions, that a rule holds for.

    The first of `places` is the finding's own, the others are what it is a clone of. `reasons`
    are the lines that mattered most, where they were asked for.
    """

    rule: str
    label: str
    probability: float
    places: tuple[Place, ...]
    fingerprint: str = ""
    reasons: tuple[Reason, ...] = field(default=())

    @property
    def level(self) -> Level:
        """How loud to be: `error` from 0.9 on, `warning` from 0.5 on."""
        if self.probability >= ERROR_FROM:
            return "error"
        return "warning" if self.probability >= WARNING_FROM else "note"

    @property
    def digest(self) -> str:
        """The same wherever the functions stand: a hash of the rule and their texts."""
        texts = sorted(place.digest for place in self.places)
        return hashlib.sha256("\n".join([self.rule, *texts]).encode()).hexdigest()[:32]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        own, *others = self.places
        answer: dict[str, Any] = {
            "rule": self.rule,
            "level": self.level,
            "probability": round(self.probability, 6),
            **_place_json(own),
            "fingerprint": self.fingerprint,
        }
        if others:
            answer["clones"] = [_place_json(place) for place in others]
        if self.reasons:
            answer["reasons"] = [
                {"line": r.start_line, "end_line": r.end_line, "drop": round(r.drop, 6)}
                for r in self.reasons
            ]
        return answer


def rule_id(task: str, label: str) -> str:
    """`codewren/<task>/<label>`, of characters that every reader of SARIF takes."""
    return "/".join(re.sub(r"[^A-Za-z0-9_.-]+", "-", part) for part in ("codewren", task, label))


def fingerprinted(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with fingerprints, most probable first.

    A fingerprint is the digest and how many equal ones stand before it in the tree, so that it
    stays when lines or files move, and a copy of a known function is new.
    """
    seen: Counter[str] = Counter()
    found = []
    for finding in sorted(findings, key=lambda f: [(p.file, p.start_line) for p in f.places]):
        digest = finding.digest
        found.append(replace(finding, fingerprint=f"{digest}:{seen[digest]}"))
        seen[digest] += 1
    return sorted(found, key=lambda f: -f.probability)


def read_baseline(path: Path) -> frozenset[str]:
    """The fingerprints of a baseline file; OptionError in one line if it is none."""
    fingerprints = read_json(path).get("fingerprints")
    if not isinstance(fingerprints, list) or not all(isinstance(f, str) for f in fingerprints):
        raise OptionError(f"{path}: is no baseline; write one with --write-baseline")
    return frozenset(fingerprints)


def write_baseline(path: Path, findings: Sequence[Finding]) -> None:
    """Every finding from now on known: a JSON file of fingerprints, sorted, to be committed."""
    write_json(path, {"fingerprints": sorted(finding.fingerprint for finding in findings)})


def unknown(findings: Iterable[Finding], baseline: frozenset[str]) -> list[Finding]:
    """Those that the baseline does not hold."""
    return [finding for finding in findings if finding.fingerprint not in baseline]


def _place_json(place: Place) -> dict[str, Any]:
    return {
        "file": shown(place.file),
        "line": place.start_line,
        "end_line": place.end_line,
        "function": place.function,
    }


def shown(name: str) -> str:
    """A file's name as text: bytes that are no UTF-8 as `\\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
