from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.budget import Budget
from codewren.search import SearchSpace, count_flops, enumerate_space, load_space, predict_bytes
from codewren.search import exhaustive as module
from codewren_runtime.errors import BudgetError, OptionError
from codewren_runtime.types import Architecture

PAPER = load_space("paper")


def test_the_papers_optimum_is_certified() -> None:
    result = enumerate_space(PAPER, Budget(3_000_000, 32), "single", 2, formula="paper")
    assert result.architecture == Architecture(1000, 96, 12, 8, 32)
    assert round(result.best.gflops, 4) == 2.1756
    assert result.certificate is not None
    assert result.certificate.configurations == PAPER.size
    assert result.certificate.feasible == 188_216
    assert result.seed is None
    assert len(result.candidates) == 10


values = st.lists(st.integers(1, 40), min_size=1, max_size=4, unique=True).map(sorted).map(tuple)


@given(values, values, values, values, values, values, st.integers(1, 12), st.integers(1, 400_000))
@settings(max_examples=40, deadline=None)
def test_it_agrees_with_looking_at_each(
    hidden: tuple[int, ...],
    layers: tuple[int, ...],
    heads: tuple[int, ...],
    middles: tuple[int, ...],
    embeddings: tuple[int, ...],
    shared: tuple[int, ...],
    top: int,
    size: int,
) -> None:
    heads, shared = tuple(sorted({1, *heads})), tuple(sorted({1, *shared}))
    embeddings = (0, *embeddings)
    space = SearchSpace(
        "s", (300, 700), hidden, layers, heads, middles, (20, 30), embeddings, shared
    )
    fits = []
    for v, h, n, a, m, x, e, g in product(*space.genes):
        if h % a == 0 and n % g == 0 and e < h:
            architecture = Architecture(v, h, n, a, m, x, e, g)
            if (size_bytes := predict_bytes(architecture, "pair", 3, 8)) <= size:
                flops = count_flops(architecture, "pair", 3)
                fits.append((-flops, size_bytes, v, h, n, a, m, x, e, g, architecture))
    if not fits:
        with pytest.raises(BudgetError):
            enumerate_space(space, Budget(size), "pair", 3, top=top)
        return
    result = enumerate_space(space, Budget(size), "pair", 3, top=top)
    assert result.certificate is not None
    assert result.certificate.feasible == len(fits)
    assert [c.architecture for c in result.candidates] == [row[-1] for row in sorted(fits)[:top]]


def test_progress_counts_up_to_the_whole_space(monkeypatch: pytest.MonkeyPatch) -> None:
    space = load_space("small")
    budget = Budget(10**9)
    whole = enumerate_space(space, budget, "single", 2)
    monkeypatch.setattr(module, "CHUNK", 50)
    seen: list[int] = []
    cut = enumerate_space(space, budget, "single", 2, on_chunk=seen.append)
    assert cut == whole
    assert seen == sorted(seen)
    assert len(seen) > 4
    assert seen[-1] == space.size


def test_a_space_too_large_to_enumerate_is_refused() -> None:
    many = tuple(range(300, 1300))
    space = SearchSpace("vast", many, many, (1, 2, 3), (1,), many)
    with pytest.raises(OptionError, match="too many to enumerate"):
        enumerate_space(space, Budget(10**9), "single", 2)
