from __future__ import annotations

import json
import random
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.budget import Budget
from codewren.search import (
    GenerationRecord,
    GeneticSettings,
    SearchResult,
    SearchSpace,
    enumerate_space,
    load_space,
    search,
)
from codewren.search.operators import (
    Fitness,
    Individual,
    mate,
    mutate,
    polish,
    random_individual,
    repair,
)
from codewren.search.ranking import pose
from codewren_runtime.errors import BudgetError, OptionError
from codewren_runtime.files import canonical_json

PAPER = load_space("paper")
AWKWARD = SearchSpace(
    "awkward", (300, 999), (12, 18, 25, 30), (1, 2, 3), (1, 5, 6), (16, 48, 80), (24, 32), (0, 15),
    (1, 2),
)  # fmt: skip
QUICK = GeneticSettings(population=12, generations=15, patience=4, reach=2, checkpoint_every=4)
SMALL_BUDGET = Budget(120_000, 8)


def published_budget(megabytes: int) -> Budget:
    return Budget(megabytes * 1_000_000, 32)


@pytest.mark.parametrize("megabytes", [1, 3, 10, 25, 50])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_finds_the_certified_optimum_of_the_papers_space(megabytes: int, seed: int) -> None:
    budget = published_budget(megabytes)
    found = search(PAPER, budget, "single", 2, GeneticSettings(seed=seed), formula="paper")
    proof = enumerate_space(PAPER, budget, "single", 2, formula="paper", top=1)
    assert found.best == proof.best


def test_the_budget_holds_for_every_candidate() -> None:
    found = search(PAPER, Budget(1_000_000, 8), "pair", 2, QUICK)
    assert max(c.size_bytes for c in found.candidates) <= 1_000_000


@given(st.integers(0, 2**32), st.sampled_from([PAPER, AWKWARD]))
def test_offspring_are_valid(seed: int, space: SearchSpace) -> None:
    rng = Random(seed)
    first, second = random_individual(space, rng), random_individual(space, rng)
    mate(first, second, rng)
    for child in (first, second):
        mutate(child, space, rng)
        repair(child, space)
        assert space.architecture(child)
        assert all(type(gene) is int for gene in child)


def test_repair_leaves_a_valid_individual_alone() -> None:
    individual = random_individual(AWKWARD, Random(3))
    before = list(individual)
    repair(individual, AWKWARD)
    assert individual == before


counts = st.integers(0, 10**12)
genes = st.lists(st.integers(0, 50), min_size=8, max_size=8)


@given(counts, counts, counts, counts, st.integers(1, 10**9), genes, genes)
def test_feasible_beats_infeasible_whatever_the_flops(
    flops: int,
    other_flops: int,
    size: int,
    other_size: int,
    violation: int,
    a: list[int],
    b: list[int],
) -> None:
    feasible = Fitness((0, flops, size, *a))
    infeasible = Fitness((violation, other_flops, other_size, *b))
    further = Fitness((violation + 1, flops, size, *a))
    assert feasible > infeasible > further
    assert feasible.feasible
    assert not infeasible.feasible


def test_ties_go_to_fewer_bytes_then_to_smaller_genes() -> None:
    small, large = [0] * 8, [9] * 8
    assert Fitness((0, 5, 1, *large)) > Fitness((0, 5, 2, *small))
    assert Fitness((0, 5, 1, 1, *large[1:])) > Fitness((0, 5, 1, 2, *small[1:]))


@given(st.integers(0, 2**32), st.integers(150_000, 60_000_000))
@settings(max_examples=25, deadline=None)
def test_climbing_never_goes_down(seed: int, size: int) -> None:
    problem = pose(PAPER, Budget(size, 32), "single", 2, formula="paper")
    start = random_individual(PAPER, Random(seed))
    end, evaluations = polish(start, problem, reach=3)
    scores = problem.score(np.array([start, end]))
    ranks = [(-scores.violation[i], scores.capacity[i]) for i in (0, 1)]
    assert ranks[1] >= ranks[0]
    assert evaluations > 0


def run(seed: int = 0, checkpoint: Path | None = None) -> SearchResult:
    chosen = GeneticSettings(
        seed=seed, population=12, generations=15, patience=4, reach=2, checkpoint_every=4
    )
    return search(AWKWARD, SMALL_BUDGET, "single", 2, chosen, checkpoint=checkpoint)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_history() -> None:
    assert canonical_json(run(3).to_json()) == canonical_json(run(3).to_json())
    assert run(3).history != run(4).history


def test_the_global_random_state_is_left_alone() -> None:
    random.seed(5)
    before = random.getstate()
    run()
    assert random.getstate() == before


class InterruptedError_(Exception):  # noqa: N801, N818 - stands for a killed process
    pass


@pytest.mark.parametrize("killed_at", [1, 4, 6, 11, 13])
def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path: Path, killed_at: int) -> None:
    path = tmp_path / "state.json"

    def kill(record: GenerationRecord) -> None:
        if record.generation == killed_at:
            raise InterruptedError_

    with pytest.raises(InterruptedError_):
        search(PAPER, published_budget(3), "single", 2, QUICK, on_generation=kill, checkpoint=path)
    heard: list[int] = []
    resumed = search(
        PAPER,
        published_budget(3),
        "single",
        2,
        QUICK,
        on_generation=lambda record: heard.append(record.generation),
        checkpoint=path,
    )
    whole = search(PAPER, published_budget(3), "single", 2, QUICK)
    assert canonical_json(resumed.to_json()) == canonical_json(whole.to_json())
    assert heard == list(range((killed_at + 1) // 4 * 4, 15))


def test_a_finished_checkpoint_answers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    first = run(checkpoint=path)
    assert run(checkpoint=path) == first


def test_a_checkpoint_of_another_search_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    run(seed=1, checkpoint=path)
    with pytest.raises(OptionError, match=r"other settings; .* --force"):
        run(seed=2, checkpoint=path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("population", [[0, 0, 0, 0]]),
        ("population", [[0, 0, 0, 0, 99, 0, 0, 0]]),
        ("population", []),
        ("hall", [[0, 0, 0, 0, -1, 0, 0, 0]]),
        ("hall", [["a"] * 8]),
        ("hall", 3),
        ("random", [3, [1, 2], None]),
        ("random", None),
        ("history", [{"generation": 1}]),
        ("evaluations", "many"),
        ("stagnant", None),
    ],
)
def test_a_damaged_checkpoint_is_told_in_one_line(
    tmp_path: Path, field: str, value: object
) -> None:
    path = tmp_path / "state.json"
    run(checkpoint=path)
    data = json.loads(path.read_text())
    data[field] = value
    path.write_text(json.dumps(data))
    with pytest.raises(OptionError) as caught:
        run(checkpoint=path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_history_counts_and_never_falls() -> None:
    history = run().history
    assert [record.generation for record in history] == list(range(15))
    evaluations = [record.evaluations for record in history]
    assert evaluations == sorted(evaluations)
    best = [record.best_capacity for record in history if record.best_capacity is not None]
    assert best == sorted(best)
    assert all(0 <= record.feasible <= 1 for record in history)


def test_a_space_of_one_configuration_is_its_own_optimum() -> None:
    space = SearchSpace("one", (300,), (8,), (1,), (2,), (16,), (16,))
    found = search(space, Budget(1_000_000), "pair", 3, QUICK)
    assert found.architecture == space.architecture([0] * 8)
    assert len(found.candidates) == 1


def smallest_bytes(space: SearchSpace) -> int:
    with pytest.raises(BudgetError) as caught:
        enumerate_space(space, Budget(5), "single", 2)
    message = str(caught.value)
    assert "\n" not in message
    return int(message.split("takes ")[1].split(";", maxsplit=1)[0].replace(",", ""))


@pytest.mark.parametrize("space", [AWKWARD, PAPER])
def test_a_budget_below_everything_names_the_smallest(space: SearchSpace) -> None:
    smallest = smallest_bytes(space)
    with pytest.raises(BudgetError, match=f"fits 5 bytes: its smallest .* takes {smallest:,};"):
        search(space, Budget(5), "single", 2)


@pytest.mark.parametrize("space", [AWKWARD, PAPER])
def test_the_smallest_architecture_just_fits(space: SearchSpace) -> None:
    smallest = smallest_bytes(space)
    budget = Budget(smallest)
    found = search(space, budget, "single", 2)
    assert found.best == enumerate_space(space, budget, "single", 2).best
    assert found.best.size_bytes == smallest


def test_the_papers_formula_knows_32_bits_only() -> None:
    with pytest.raises(OptionError, match="32"):
        search(PAPER, Budget(3_000_000, 8), "single", 2, formula="paper")
    with pytest.raises(OptionError, match="formula"):
        search(PAPER, Budget(3_000_000, 8), "single", 2, formula="other")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="labels"):
        search(PAPER, Budget(3_000_000, 8), "single", 1)


@pytest.mark.parametrize(
    "bad",
    [
        {"population": 3},
        {"generations": 0},
        {"crossover": 1.5},
        {"crossover": "often"},
        {"seed": -1},
        {"seed": 1.5},
        {"top": True},
    ],
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=f"search: {next(iter(bad))}"):
        GeneticSettings(**bad)  # type: ignore[arg-type]


def test_an_individual_starts_without_a_fitness() -> None:
    assert not Individual([0] * 8).fitness.valid
