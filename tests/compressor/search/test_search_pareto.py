from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codewren.budget import Budget
from codewren.latency.model import LatencyModel
from codewren.search import load_space, search
from codewren.search.cost import Shapes
from codewren.search.pareto import ParetoSettings, non_dominated, pareto_search
from codewren.search.ranking import pose
from codewren_runtime.errors import BudgetError, OptionError

# Costs of the order that a laptop's core has; what is tested does not hang on them.
COSTS = (0.05, 0.24, 0.008, 0.02, 0.018, 0.004, 0.0012, 0.07, 0.22, 0.043)
MODEL = LatencyModel("a CPU", "1", COSTS, 40, 200, 0.05, 0.1)
TIMING = MODEL.timing(950)
SMALL = load_space("small")
EVERY = ParetoSettings(front=10**6)


def all_rows() -> np.ndarray:
    axes = np.meshgrid(*(np.arange(len(values)) for values in SMALL.genes), indexing="ij")
    grid = np.stack(axes, axis=-1).reshape(-1, len(axes))
    return grid[SMALL.valid(grid)]


@given(arrays(np.int64, st.tuples(st.integers(1, 30), st.just(3)), elements=st.integers(0, 4)))
def test_what_stays_is_what_nothing_dominates(values: np.ndarray) -> None:
    stays = non_dominated(values.astype(float))
    for i, row in enumerate(values):
        better = [(o <= row).all() and (o < row).any() for o in values]
        twins = [j for j in range(i) if (values[j] == row).all()]
        assert stays[i] == (not any(better) and not twins)


@pytest.mark.parametrize("budget", [Budget(3_000_000), Budget(700_000, latency_ms=1.5)])
def test_it_finds_the_whole_front_of_a_small_space(budget: Budget) -> None:
    problem = pose(SMALL, budget, "single", 2, timing=TIMING)
    rows = all_rows()
    scores = problem.score(rows)
    feasible = rows[scores.violation == 0]
    known = problem.score(feasible)
    assert known.latency_ms is not None
    figures = np.stack([known.size_bytes, known.latency_ms, -known.capacity], axis=1)
    front = {SMALL.architecture(row) for row in feasible[non_dominated(figures)]}
    found = pareto_search(SMALL, budget, "single", 2, TIMING, EVERY)
    assert {c.architecture for c in found.candidates} == front
    assert found.pareto
    assert found.best == search(SMALL, budget, "single", 2, timing=TIMING).best


def test_the_front_is_thinned_and_the_same_for_a_seed() -> None:
    chosen = ParetoSettings(seed=3, generations=10, population=20, front=7)
    random.seed(1)
    state = random.getstate()
    first = pareto_search(SMALL, Budget(3_000_000), "pair", 2, TIMING, chosen)
    assert random.getstate() == state
    assert len(first.candidates) == 7
    capacities = [c.executed for c in first.candidates]
    assert capacities == sorted(capacities, reverse=True)
    assert first == pareto_search(SMALL, Budget(3_000_000), "pair", 2, TIMING, chosen)


@given(st.floats(0.4, 20), st.integers(200_000, 3_000_000))
@settings(max_examples=10, deadline=None)
def test_the_limit_on_latency_is_hard(latency: float, size: int) -> None:
    budget = Budget(size, latency_ms=latency)
    try:
        found = search(SMALL, budget, "single", 2, timing=TIMING)
    except BudgetError as error:
        assert "ms" in str(error)  # noqa: PT017 - either outcome is right, this one is explained
        problem = pose(SMALL, budget, "single", 2, timing=TIMING)
        assert (problem.score(all_rows()).violation > 0).all()
        return
    shapes = Shapes.of([c.architecture for c in found.candidates])
    assert TIMING(shapes, "single").max() <= latency
    assert max(c.size_bytes for c in found.candidates) <= size
    unlimited = search(SMALL, Budget(size), "single", 2, timing=TIMING)
    assert found.best.executed <= unlimited.best.executed


def test_what_limits_a_candidate_is_told() -> None:
    slow = search(SMALL, Budget(3_000_000, latency_ms=1.0), "single", 2, timing=TIMING)
    assert slow.best.limited_by == ("latency",)
    large = search(SMALL, Budget(300_000), "single", 2, timing=TIMING)
    assert large.best.limited_by == ("size",)
    free = search(SMALL, Budget(10**9), "single", 2, timing=TIMING)
    assert free.best.limited_by == ()


def test_a_limit_on_latency_needs_a_latency_model() -> None:
    with pytest.raises(OptionError, match="run compress calibrate"):
        search(SMALL, Budget(3_000_000, latency_ms=5.0), "single", 2)
    with pytest.raises(OptionError, match="paper's formula knows no latency"):
        search(SMALL, Budget(3_000_000, 32, 5.0), "single", 2, formula="paper", timing=TIMING)


def test_nothing_within_the_latency_is_one_clear_line() -> None:
    with pytest.raises(BudgetError, match=r"answers within 0.01 ms and 3,000,000 bytes"):
        pareto_search(SMALL, Budget(3_000_000, latency_ms=0.01), "single", 2, TIMING, EVERY)
