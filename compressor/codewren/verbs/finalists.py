"""Finalists of a search: train each briefly, halve, and take what measures best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from codewren.data import Dataset
from codewren.finalists.correlation import rank_correlations
from codewren.finalists.halving import halve, rounds_of
from codewren.finalists.trial import Trial, TrialResult, split
from codewren.finalists.workers import open_executor
from codewren.run_directory import Run
from codewren.search.result import SearchResult
from codewren_distill.settings import TrainingSettings
from codewren_runtime.types import Task

__all__ = ["FinalistSettings", "choose"]


@dataclass(frozen=True, slots=True)
class FinalistSettings:
    """How long finalists train, and where: `jobs` processes here, or a Dask cluster."""

    rows: int = 4_000
    epochs: int = 2
    jobs: int | None = None
    dask: str | None = None


def choose(
    run: Run,
    result: SearchResult,
    task: Task,
    data: Dataset,
    settings: FinalistSettings,
    seed: int,
) -> dict[str, Any]:
    """What `architecture.json` says once the candidates were trained; the best comes first.

    Rank correlations are those of the first round, in which every finalist trains as long.
    """
    trial_data = split(task, data.examples, data.sha256, settings.rows, seed)
    training = TrainingSettings(epochs=settings.epochs, seed=seed)
    shapes = [candidate.architecture for candidate in result.candidates]
    total = sum(rounds_of(len(shapes)))
    with (
        run.reporter.step("finalists", total) as bar,
        open_executor(settings.jobs, settings.dask) as executor,
    ):
        best = 0.0

        def advance(_: Trial, trial_result: TrialResult) -> None:
            nonlocal best
            best = max(best, trial_result.accuracy)
            bar.advance(1, f"best {100 * best:.2f} %")

        rounds = halve(
            shapes, trial_data, training, executor, run.path("finalists"), on_trial=advance
        )
    winner = rounds[-1].results[0][0]
    first = dict(rounds[0].results)
    quality = [first[shape].accuracy for shape in shapes]
    order = sorted(result.candidates, key=lambda c: c.architecture != winner)
    chosen = replace(result, candidates=tuple(order))
    return chosen.to_json() | {
        "finalists": {
            "train_rows": len(trial_data.train),
            "held_out_rows": len(trial_data.held_out),
            "rounds": [r.to_json() for r in rounds],
            "rank_correlations": rank_correlations(result.candidates, quality),
        }
    }
