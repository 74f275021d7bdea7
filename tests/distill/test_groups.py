from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren_distill.groups import groups


def _members(pairs: list[tuple[int, int, float]], count: int) -> list[list[int]]:
    return [group.tolist() for group in groups(pairs, count)]


def test_what_is_alike_through_others_belongs_together() -> None:
    assert _members([(0, 1, 1), (1, 2, 1), (4, 3, 1)], 6) == [[0, 1, 2], [3, 4], [5]]


def test_one_text_that_is_like_both_does_not_join_two_groups() -> None:
    alike = [*combinations(range(4), 2), *combinations(range(4, 8), 2), (3, 8), (4, 8)]
    unlike = [(a, b, -1.0) for a in range(4) for b in range(4, 8)]
    found = _members([(a, b, 1.0) for a, b in alike] + unlike, 9)
    assert sorted(map(len, found)) == [4, 5]
    assert {tuple(sorted(set(group) - {8})) for group in found} == {(0, 1, 2, 3), (4, 5, 6, 7)}


def test_a_text_is_not_unlike_itself() -> None:
    assert _members([(0, 0, -1.0), (0, 1, 0.5), (1, 0, 0.5)], 2) == [[0, 1]]


@settings(max_examples=50)
@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.lists(
                st.tuples(
                    st.integers(0, count - 1),
                    st.integers(0, count - 1),
                    st.floats(-1, 1, allow_nan=False),
                ),
                max_size=40,
            ),
        )
    )
)
def test_every_text_is_in_one_group_and_joining_two_more_gains_nothing(
    given: tuple[int, list[tuple[int, int, float]]],
) -> None:
    count, pairs = given
    found = groups(pairs, count)
    assert sorted(np.concatenate(found).tolist()) == list(range(count))
    assert [len(group) for group in found] == sorted(map(len, found), reverse=True)
    group_of = {int(text): at for at, group in enumerate(found) for text in group}
    between: dict[tuple[int, int], float] = {}
    for a, b, weight in pairs:
        key = min(group_of[a], group_of[b]), max(group_of[a], group_of[b])
        between[key] = between.get(key, 0.0) + weight
    assert all(weight <= 1e-9 for (a, b), weight in between.items() if a != b)
