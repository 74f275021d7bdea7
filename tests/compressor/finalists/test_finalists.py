from __future__ import annotations

import random
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from codewren.finalists.correlation import rank_correlations
from codewren.finalists.halving import halve, rounds_of, trials_of
from codewren.finalists.trial import Trial, TrialData, run_trial, split
from codewren.finalists.workers import open_executor
from codewren.search.result import Candidate
from codewren_distill.settings import TrainingSettings
from codewren_runtime.errors import DataError, MissingExtraError, OptionError
from codewren_runtime.types import Architecture, Example, Task

TASK = Task("safety", "single", ("safe", "vulnerable"))
WORDS = ("alpha", "beta", "gamma", "delta", "x = 1", "return y")
TRAINING = TrainingSettings(epochs=2, batch_size=8, learning_rate=5e-3, seed=1)
SHAPES = [Architecture(300, hidden, 1, 1, 16, 32) for hidden in (4, 8, 16, 24)]


def examples(count: int) -> list[Example]:
    rng = random.Random(0)
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(2, 9))) for _ in range(count)]
    return [Example(text, label=int("alpha" in text)) for text in texts]


@pytest.fixture(scope="module")
def data() -> TrialData:
    return split(TASK, examples(160), "the data", 120, seed=3)


def test_a_quarter_is_held_out_and_nothing_is_in_both() -> None:
    numbered = [Example(str(i), label=i % 2) for i in range(100)]
    data = split(TASK, numbered, "x", 40, seed=1)
    assert (len(data.train), len(data.held_out)) == (30, 10)
    assert not {e.text for e in data.train} & {e.text for e in data.held_out}
    assert split(TASK, numbered, "x", 40, seed=1) == data
    assert split(TASK, numbered, "x", 40, seed=2).sha256 != data.sha256
    with pytest.raises(DataError, match="at least 32 labelled rows, 20 were given"):
        split(TASK, numbered[:20], "x", 40, seed=1)


@pytest.mark.parametrize(
    ("finalists", "sizes"), [(2, [2]), (3, [3, 2]), (8, [8, 4, 2]), (13, [13, 7, 4, 2])]
)
def test_each_round_has_half_of_the_last(finalists: int, sizes: list[int]) -> None:
    assert rounds_of(finalists) == sizes


def test_the_same_trial_gives_the_same_figures(data: TrialData) -> None:
    trial = Trial(SHAPES[2], TRAINING)
    first, second = run_trial(trial, data), run_trial(trial, data)
    assert (first.accuracy, first.loss) == (second.accuracy, second.loss)
    assert first.rank == second.rank
    truth = [example.label for example in data.held_out]
    assert first.accuracy >= max(truth.count(0), truth.count(1)) / len(truth) - 0.2


class Counting(ThreadPoolExecutor):
    """One thread that counts what it was given, and refuses more than `limit`."""

    def __init__(self, limit: int = 1000) -> None:
        super().__init__(1)
        self.count, self.limit = 0, limit

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        self.count += 1
        if self.count > self.limit:
            raise KeyboardInterrupt
        return super().submit(*args, **kwargs)


def test_the_better_half_trains_twice_as_long(data: TrialData, tmp_path: Path) -> None:
    with Counting() as executor:
        rounds = halve(SHAPES, data, TRAINING, executor, tmp_path)
    assert [each.epochs for each in rounds] == [2, 4]
    assert [len(each.results) for each in rounds] == [4, 2]
    for each in rounds:
        ranks = [result.rank for _, result in each.results]
        assert ranks == sorted(ranks, reverse=True)
    assert [a for a, _ in rounds[0].results][:2] == sorted(
        (a for a, _ in rounds[1].results), key=[a for a, _ in rounds[0].results].index
    )
    with Counting() as again:
        assert halve(SHAPES, data, TRAINING, again, tmp_path) == rounds
    assert again.count == 0


def test_a_killed_run_goes_on_where_it_was(data: TrialData, tmp_path: Path) -> None:
    trials = [Trial(shape, TRAINING) for shape in SHAPES]
    with Counting() as executor:
        known = trials_of(trials[:2], data, executor, tmp_path)
    (tmp_path / "half-made.json").write_text("{")
    with Counting() as executor:
        results = trials_of(trials, data, executor, tmp_path)
    assert executor.count == 2
    assert list(results) == trials
    assert known.items() <= results.items()


def test_processes_measure_as_this_one_does(data: TrialData, tmp_path: Path) -> None:
    trials = [Trial(shape, TRAINING) for shape in SHAPES[:2]]
    with open_executor(jobs=2) as executor:
        results = trials_of(trials, data, executor, tmp_path)
    here = run_trial(trials[0], data)
    assert (results[trials[0]].accuracy, results[trials[0]].loss) == (here.accuracy, here.loss)


def test_a_dask_cluster_measures_as_this_process_does(data: TrialData, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        open_executor(dask=cluster.scheduler_address) as executor,
    ):
        results = trials_of([Trial(SHAPES[0], TRAINING)], data, executor, tmp_path)
    (result,) = results.values()
    here = run_trial(Trial(SHAPES[0], TRAINING), data)
    assert (result.accuracy, result.loss) == (here.accuracy, here.loss)


def test_a_cluster_that_does_not_answer_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("codewren.finalists.workers.CONNECT_SECONDS", 1)
    with (
        pytest.raises(OptionError, match=r"tcp://127.0.0.1:9: no Dask scheduler answers there"),
        open_executor(dask="tcp://127.0.0.1:9"),
    ):
        pass


def test_a_single_finalist_is_no_choice(data: TrialData, tmp_path: Path) -> None:
    with Counting() as executor, pytest.raises(OptionError, match="at least two"):
        halve(SHAPES[:1], data, TRAINING, executor, tmp_path)


def candidate(flops: int, parameters: int, latency: float | None) -> Candidate:
    shape = Architecture(300, 8, 1, 1, 8)
    return Candidate(shape, parameters, flops, flops, 5, latency)


def test_rank_correlations_tell_order_from_chance() -> None:
    candidates = [candidate(i, 10 - i, None) for i in range(1, 6)]
    found = rank_correlations(candidates, [0.1, 0.2, 0.3, 0.4, 0.5])
    assert found == {"flops": 1.0, "executed": 1.0, "parameters": -1.0, "size_bytes": None}
    timed = [candidate(i, 1, i**0.5) for i in range(1, 6)]
    assert rank_correlations(timed, [5, 4, 3, 2, 1])["latency_ms"] == -1.0
    assert rank_correlations(timed, [1] * 5)["latency_ms"] is None


def test_a_missing_cluster_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"codewren\[cluster\]"), open_executor(dask="x"):
        pass
