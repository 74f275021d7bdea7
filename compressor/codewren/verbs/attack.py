"""attack: how many right answers of each model fall to other names of local variables."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any

from codewren.attack import Source, attack_example
from codewren.data import Dataset, evenly
from codewren.rewriting import read_code
from codewren.run_directory import Run, Step
from codewren.source import Language
from codewren.target import Target, open_target
from codewren_runtime.errors import OptionError
from codewren_runtime.files import sha256_of
from codewren_runtime.types import Task

__all__ = ["ATTACK", "AttackSettings", "attack", "open_targets"]

ATTACK = "attack.json"
EXAMPLES = 5

Sources = Callable[[Target], Source]


@dataclass(frozen=True, slots=True)
class AttackSettings:
    """`queries`: judgements of one text; `rows`: as many of the data, evenly; None: all."""

    queries: int = 100
    rows: int | None = None
    seed: int = 0
    language: Language | None = None


def open_targets(paths: Sequence[Path]) -> list[Target]:
    """The models, which must answer alike. Raises OptionError if they do not, or one repeats."""
    targets = [open_target(path) for path in paths]
    for target in targets[1:]:
        if _answers(target.task) != _answers(targets[0].task):
            raise OptionError(
                f"{target.path}: answers {target.task.kind} {list(target.task.labels)}, "
                f"{targets[0].path} {targets[0].task.kind} {list(targets[0].task.labels)}; "
                "attack them one by one"
            )
    if len({target.sha256 for target in targets}) < len(targets):
        raise OptionError("attack: a model is given twice")
    return targets


def _answers(task: Task) -> tuple[str, tuple[str, ...]]:
    return task.kind, task.labels


def attack(
    run: Run,
    targets: Sequence[Target],
    data: Dataset,
    sources: Sources,
    settings: AttackSettings,
    *,
    candidates: str,
) -> dict[str, Any]:
    """Attack every right answer of each model on labelled `data`; write and return attack.json.

    `candidates` names the source of substitutes, for those who read the report and for a resume.
    Every row's outcome is kept in `attack/` as it is known, so a killed run goes on.
    """
    inputs = {"data": data.sha256, "settings": asdict(settings), "candidates": candidates}
    models = {str(target.path): target.sha256 for target in targets}
    step = Step("attack", run.path(ATTACK), {**inputs, "models": models})
    if done := run.finished(step):
        return done
    rows = []
    for target in targets:
        identity = sha256_of({**inputs, "model": target.sha256})
        log = run.path(f"attack/{target.path.stem}-{identity[:16]}.jsonl")
        if run.force:
            log.unlink(missing_ok=True)
        outcomes = _outcomes(run, target, data, sources, settings, log)
        rows.append({"model": str(target.path), "log": log.name, **_summary(outcomes)})
    return step.finish({"candidates": candidates, "queries": settings.queries, "rows": rows})


def _outcomes(
    run: Run, target: Target, data: Dataset, sources: Sources, settings: AttackSettings, log: Path
) -> list[dict[str, Any]]:
    """One outcome for each row, from the log as far as that goes."""
    outcomes = _logged(log)
    chosen = evenly(len(data.examples), settings.rows)
    begun, flipped = len(outcomes), 0
    source: Source | None = None
    with run.reporter.step(f"attack {target.path.name}", len(chosen)) as bar:
        bar.advance(begun)
        for row in chosen[begun:]:
            source = source or sources(target)
            outcome = _attacked(target, data, row, source, settings)
            outcomes.append(outcome)
            _append(log, outcome)
            flipped = sum(o["flipped"] for o in outcomes)
            bar.advance(1, f"{flipped} of {sum(o['right'] for o in outcomes)} fell")
    return outcomes


def _attacked(
    target: Target, data: Dataset, row: int, source: Source, settings: AttackSettings
) -> dict[str, Any]:
    example = data.examples[row]
    begin = time.process_time()
    judged = target.judge([example])[0]
    base = {"line": data.lines[row], "right": judged[0] == example.label, "flipped": False}
    code = read_code(example.text, settings.language) if base["right"] else None
    if code is None:
        return {**base, "names": 0, "queries": 1, "cpu_seconds": time.process_time() - begin}
    options = source(row, code)
    outcome = attack_example(
        target,
        example,
        judged,
        code,
        options,
        queries=settings.queries,
        rng=Random(f"{settings.seed} {row}"),
    )
    spent = time.process_time() - begin
    return {**base, "names": len(options), **asdict(outcome), "cpu_seconds": spent}


def _logged(log: Path) -> list[dict[str, Any]]:
    """The whole lines of a log, up to the first that is damaged.

    What a killed run, or a machine that went down, left of the rest is taken off.
    """
    if not log.is_file():
        return []
    data, found = log.read_bytes(), list[dict[str, Any]]()
    whole = 0
    for line in data.splitlines(keepends=True):
        outcome = _outcome(line)
        if outcome is None:
            break
        found.append(outcome)
        whole += len(line)
    if whole < len(data):
        log.write_bytes(data[:whole])
    return found


def _outcome(line: bytes) -> dict[str, Any] | None:
    """What a line of a log says; None for one that was not written to its end."""
    try:
        outcome = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return outcome if isinstance(outcome, dict) else None


def _append(log: Path, outcome: Mapping[str, Any]) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(outcome) + "\n")


def _summary(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One model's row of the report. Shares are of 1; `success` is of the right answers."""
    right = [o for o in outcomes if o["right"]]
    open_ = [o for o in right if o["names"]]
    fallen = [o for o in right if o["flipped"]]
    return {
        "functions": len(outcomes),
        "right": len(right),
        "attackable": len(open_),
        "flipped": len(fallen),
        "accuracy": len(right) / len(outcomes),
        "accuracy_under_attack": (len(right) - len(fallen)) / len(outcomes),
        "success": len(fallen) / max(1, len(right)),
        "success_of_attackable": len(fallen) / max(1, len(open_)),
        "queries": sum(o["queries"] for o in outcomes),
        "queries_mean": fmean([o["queries"] for o in open_] or [0]),
        "queries_of_a_flip": median([o["queries"] for o in fallen] or [0]),
        "names_changed": fmean([len(o["renaming"]) for o in fallen] or [0]),
        "cpu_seconds": sum(o["cpu_seconds"] for o in outcomes),
        "examples": fallen[:EXAMPLES],
    }
