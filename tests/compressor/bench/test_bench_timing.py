from __future__ import annotations

import numpy as np
import pytest

from codewren.bench import fresh
from codewren.bench.timing import Times, by_length, interleaved, ratio, threaded
from codewren.progress import Silent
from codewren_runtime.errors import ModelError


def test_all_take_turns_on_each_input() -> None:
    calls: list[tuple[str, str]] = []
    ways = {name: lambda text, name=name: calls.append((name, text)) for name in "abc"}
    texts = [str(number) for number in range(20)]
    with Silent().step("", 0) as bar:
        times = interleaved(ways, texts, 2, seed=0, bar=bar)
    measured = calls[3 * len(ways) :]  # the first ones warm up
    assert len(measured) == 2 * 20 * 3
    turns = [measured[at : at + 3] for at in range(0, len(measured), 3)]
    for turn, expected in zip(turns, texts * 2, strict=True):
        assert {name for name, _ in turn} == set("abc")
        assert {text for _, text in turn} == {expected}
    assert len({tuple(name for name, _ in turn) for turn in turns}) == 6  # every order is drawn
    assert times["a"].cpu.shape == (2, 20)


def test_a_ratio_of_medians_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    fast = rng.uniform(1, 2, (3, 40))
    assert ratio(Times(10 * fast, 10 * fast), Times(fast, fast)) == {
        "ratio": 10.0, "interval": [10.0, 10.0]
    }  # fmt: skip
    slow = Times(fast, rng.uniform(5, 20, (3, 40)))
    found = ratio(slow, Times(fast, fast))
    low, high = found["interval"]
    assert low < found["ratio"] < high


def test_summary_counts_calls_of_a_core() -> None:
    found = Times(np.full((2, 4), 3.0), np.full((2, 4), 2.0)).summary()
    assert found["wall_ms"] == {"p50": 3.0, "p95": 3.0}
    assert (found["per_second_per_core"], found["cpu_seconds_per_1000"]) == (500.0, 2.0)


def test_lengths_fall_into_groups() -> None:
    times = Times(np.array([[1.0, 2.0, 9.0]]), np.array([[1.0, 2.0, 9.0]]))
    groups = by_length(times, ["a" * 299, "a" * 300, "a" * 9_000])
    assert [(g["characters"], g["inputs"], g["cpu_ms"]) for g in groups] == [
        ("below 300", 1, 1.0), ("from 300", 1, 2.0), ("from 3,000", 1, 9.0)
    ]  # fmt: skip


def test_every_thread_has_work() -> None:
    seen: list[str] = []
    with Silent().step("", 0) as bar:
        one, two = threaded({"a": seen.append}, ["x", "y", "z"], (1, 2), 3, bar)["a"]
    assert sorted(seen) == sorted(["x", "y", "z"] * 6)
    assert (one["threads"], two["threads"]) == (1, 2)
    assert two["per_second"] == pytest.approx(2 * two["per_second_per_core"], rel=0.01)


def test_fresh_processes_report_and_failures_are_one_line() -> None:
    with Silent().step("", 0) as bar:
        found = fresh.take_turns({"alone": fresh.ALONE}, "naïve \ud800", 2, bar)
        assert len(found["alone"]) == 2
        assert fresh.summary(found["alone"])["wall_ms"]["median"] > 0
        with pytest.raises(ModelError, match=r"bad: cannot be started .*ValueError: no"):
            fresh.take_turns({"bad": fresh.Program("raise ValueError('no')")}, "", 1, bar)
