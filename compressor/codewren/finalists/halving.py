"""Successive halving: everyone trains a little, the better half twice as long, and so on.

Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization" (AISTATS 2016). Every round trains from scratch with a whole learning-rate
schedule, so that the scores of one round compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from codewren.finalists.trial import Trial, TrialData, TrialResult, run_trial
from codewren_distill.settings import TrainingSettings
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json, write_json
from codewren_runtime.types import Architecture

__all__ = ["Round", "halve", "rounds_of", "trials_of"]

OnTrial = Callable[[Trial, TrialResult], None]


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its epochs, and every architecture in it with its result, best first."""

    epochs: int
    results: tuple[tuple[Architecture, TrialResult], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        rows = [{"architecture": a.to_json(), **asdict(r)} for a, r in self.results]
        return {"epochs": self.epochs, "results": rows}


def rounds_of(finalists: int) -> list[int]:
    """How many architectures each round has: halved, rounded up, down to two."""
    sizes = [finalists]
    while sizes[-1] > 2:
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def halve(
    architectures: Sequence[Architecture],
    data: TrialData,
    training: TrainingSettings,
    executor: Executor,
    folder: Path,
    on_trial: OnTrial = lambda _trial, _result: None,
) -> list[Round]:
    """All rounds; the last one's first is the winner. The first lasts `training.epochs`.

    Every result is kept in `folder` as it comes, so a killed run goes on where it was.
    Raises OptionError for fewer than two architectures.
    """
    if len(architectures) < 2:
        raise OptionError(f"finalists: at least two are needed, {len(architectures)} were found")
    rounds: list[Round] = []
    left = list(architectures)
    for number, size in enumerate(rounds_of(len(left))):
        longer = replace(training, epochs=training.epochs * 2**number)
        trials = [Trial(architecture, longer) for architecture in left[:size]]
        results = trials_of(trials, data, executor, folder, on_trial)
        ranked = sorted(
            ((trial.architecture, result) for trial, result in results.items()),
            key=lambda pair: pair[1].rank,
            reverse=True,
        )
        rounds.append(Round(longer.epochs, tuple(ranked)))
        left = [architecture for architecture, _ in ranked]
    return rounds


def trials_of(
    trials: Sequence[Trial],
    data: TrialData,
    executor: Executor,
    folder: Path,
    on_trial: OnTrial = lambda _trial, _result: None,
) -> dict[Trial, TrialResult]:
    """Results of all trials, in the order given; those already in `folder` do not run again."""
    results: dict[Trial, TrialResult] = {}
    waiting = {}
    for trial in trials:
        known = _known(_path(folder, trial, data))
        if known is not None:
            results[trial] = known
            on_trial(trial, known)
        else:
            waiting[executor.submit(run_trial, trial, data)] = trial
    try:
        for future in as_completed(waiting):
            trial, result = waiting[future], future.result()
            write_json(_path(folder, trial, data), asdict(result))
            results[trial] = result
            on_trial(trial, result)
    finally:
        for future in waiting:
            future.cancel()
    return {trial: results[trial] for trial in trials}


def _path(folder: Path, trial: Trial, data: TrialData) -> Path:
    return folder / f"{trial.identity(data)[:32]}.json"


def _known(path: Path) -> TrialResult | None:
    try:
        return TrialResult(**read_json(path))
    except (OptionError, TypeError):  # missing, half-made or of another version
        return None
