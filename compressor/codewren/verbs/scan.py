"""scan: judge every function of a source tree."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from codewren.progress import Reporter
from codewren.scan.answers import Answers
from codewren.scan.cache import Cache, NoCache
from codewren.scan.clones import MAX_FUNCTIONS, clone_groups
from codewren.scan.explaining import explained
from codewren.scan.files import SourceFile, find_files, root_of
from codewren.scan.findings import (
    Finding,
    Verdict,
    fingerprinted,
    read_baseline,
    rule_id,
    unknown,
    write_baseline,
)
from codewren.scan.reading import Place, read_files
from codewren.scan.sarif import SarifRun, to_sarif
from codewren.source import Language, language_of
from codewren_runtime import read_bundle
from codewren_runtime.errors import OptionError
from codewren_runtime.files import canonical_json, write_bytes

__all__ = ["ScanResult", "ScanSettings", "scan"]

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """What to look for and what to leave behind; None where the bundle or the machine decides."""

    bundle: Path
    label: str | None = None
    threshold: float | None = None
    min_lines: int = 5
    explain: int = 5
    sarif: Path | None = None
    baseline: Path | None = None
    new_baseline: Path | None = None
    cache: Path | None = None
    use_cache: bool = True
    jobs: int | None = None
    languages: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The new findings, most probable first, how many are known, and what was scanned."""

    task: str
    label: str
    threshold: float
    root: str
    files: int
    functions: int
    skipped: dict[str, int]
    known: int
    findings: list[Finding] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "task": self.task,
            "label": self.label,
            "threshold": self.threshold,
            "files": self.files,
            "functions": self.functions,
            "skipped": self.skipped,
            "known": self.known,
            "findings": [finding.to_json() for finding in self.findings],
        }


def scan(paths: Sequence[Path], settings: ScanSettings, reporter: Reporter) -> ScanResult:
    """Judge the functions under `paths`; write the SARIF and the baseline that were asked for.

    Raises DataError for a path that is not there, BundleError for a bundle that is none, and
    OptionError for a label, a threshold or a baseline that does not fit.
    """
    with ExitStack() as stack:
        answers = Answers(read_bundle(settings.bundle), _cache(settings, reporter, stack))
        verdict = _verdict(answers, settings)
        baseline = read_baseline(settings.baseline) if settings.baseline else frozenset()
        work = _Work(paths, answers, verdict, settings, reporter)
        every = fingerprinted(work.clones() if answers.is_pair else work.flagged())
        if settings.new_baseline is not None:
            write_baseline(settings.new_baseline, every)
        findings = unknown(every, baseline)
        if not answers.is_pair:
            findings = explained(findings, settings.explain, work.root, answers, reporter)
    result = ScanResult(
        answers.task.name, verdict.label, verdict.threshold, work.root,
        len(work.files), work.functions, dict(sorted(work.skipped.items())),
        len(every) - len(findings), findings,
    )  # fmt: skip
    if settings.sarif is not None:
        notes = tuple(f"skipped: {n:,} files ({why})" for why, n in result.skipped.items())
        run = SarifRun(result.task, verdict.rule, verdict.label, work.root, notes)
        write_bytes(settings.sarif, canonical_json(to_sarif(run, findings)))
    return result


class _Work:
    """One scan: what it reads, and what it counts on the way."""

    def __init__(
        self,
        paths: Sequence[Path],
        answers: Answers,
        verdict: Verdict,
        settings: ScanSettings,
        reporter: Reporter,
    ) -> None:
        self.answers, self.verdict = answers, verdict
        self.settings, self.reporter = settings, reporter
        self.jobs = settings.jobs or _cores()
        self.skipped: Counter[str] = Counter()
        self.root = root_of(paths)
        self.files: list[SourceFile] = find_files(paths, self.root, self.skipped)
        if settings.languages is not None:
            self.files = self._of(settings.languages)
        self.functions = 0

    def _of(self, languages: tuple[str, ...]) -> list[SourceFile]:
        """The files of these languages; OptionError for a language that is not known."""
        known = [language.value for language in Language]
        if other := sorted(set(languages) - set(known)):
            raise OptionError(f"language {other[0]!r} is not known; known: {', '.join(known)}")
        files = [file for file in self.files if language_of(file.path) in languages]
        if others := len(self.files) - len(files):
            self.skipped["of other languages"] += others
        return files

    def flagged(self) -> Iterator[Finding]:
        """Single texts: the functions whose label has at least the threshold."""
        at = self.answers.task.labels.index(self.verdict.label)
        for place, answer in self._judged():
            if answer[at] >= self.verdict.threshold:
                yield Finding(self.verdict.rule, self.verdict.label, float(answer[at]), (place,))

    def clones(self) -> list[Finding]:
        """Pairs: groups of functions of at least `min_lines` lines."""
        places, embeddings = [], []
        for place, embedding in self._judged():
            if place.end_line - place.start_line + 1 >= self.settings.min_lines:
                places.append(place)
                embeddings.append(embedding)
            if len(places) > MAX_FUNCTIONS:
                raise OptionError(
                    f"over {MAX_FUNCTIONS:,} functions of {self.settings.min_lines} lines or "
                    "more: raise --min-lines, or scan a part"
                )
        table = np.array(embeddings, np.float32).reshape(len(places), self.answers.width)
        return clone_groups(places, table, self.answers, self.verdict, self.jobs, self.reporter)

    def _judged(self) -> Iterator[tuple[Place, Any]]:
        with self.reporter.step("scan", len(self.files)) as bar:
            for found in read_files(self.files, self.answers, self.jobs, self.skipped, bar):
                self.functions += len(found.places)
                if found.answers is not None:
                    yield from zip(found.places, found.answers, strict=True)


def _verdict(answers: Answers, settings: ScanSettings) -> Verdict:
    labels, decision = answers.task.labels, answers.bundle.manifest.decision
    label = settings.label or decision.positive or (labels[1] if len(labels) == 2 else None)
    if label not in labels:
        wanted = "which label is looked for?" if label is None else f"there is no label {label!r}"
        raise OptionError(f"{settings.bundle}: {wanted}: give --label, one of {', '.join(labels)}")
    fitted = decision.threshold if label == decision.positive else None
    wishes = (settings.threshold, fitted, THRESHOLD)
    threshold = next(wish for wish in wishes if wish is not None)
    return Verdict(rule_id(answers.task.name, label), label, threshold)


def _cache(settings: ScanSettings, reporter: Reporter, stack: ExitStack) -> NoCache:
    if not settings.use_cache:
        return NoCache()
    from platformdirs import user_cache_path  # after codewren.scan has looked whether it is there

    folder = settings.cache or user_cache_path("codewren", appauthor=False)
    return stack.enter_context(Cache(folder, reporter.say))


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
