"""Which texts belong together, told by pairs that are alike and pairs that are not.

The multicut of a graph with signed edges (correlation clustering: Bansal, Blum and Chawla, 2004),
by greedy additive edge contraction (Keuper et al., ICCV 2015): join the two groups that most
speaks for joining, until nothing does.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["groups"]


def groups(pairs: Iterable[tuple[int, int, float]], count: int) -> list[NDArray[np.int64]]:
    """Of texts 0 to count - 1 those that belong together, the largest groups first.

    A pair is two texts and a weight, above 0 if they are alike, below if not; weights of a pair
    that comes twice add up. Deterministic. Every text is in one group, maybe alone.
    """
    edges = _edges(pairs, count)
    heap = [(-weight, a, b) for a, near in enumerate(edges) for b, weight in near.items() if a < b]
    heap = [edge for edge in heap if edge[0] < 0]
    heapq.heapify(heap)
    members = [[text] for text in range(count)]
    while heap:
        weight, a, b = heapq.heappop(heap)
        if edges[a].get(b) != -weight:
            continue  # one of the two has been joined to another since
        if len(edges[a]) < len(edges[b]):
            a, b = b, a
        members[a] += members[b]
        members[b] = []
        for other, joined in _contract(edges, a, b):
            if joined > 0:
                heapq.heappush(heap, (-joined, min(a, other), max(a, other)))
    whole = sorted((sorted(group) for group in members if group), key=lambda g: (-len(g), g))
    return [np.array(group) for group in whole]


def _edges(pairs: Iterable[tuple[int, int, float]], count: int) -> list[dict[int, float]]:
    edges: list[dict[int, float]] = [defaultdict(float) for _ in range(count)]
    for a, b, weight in pairs:
        if a != b:
            edges[a][b] += weight
            edges[b][a] += weight
    return [dict(near) for near in edges]


def _contract(edges: list[dict[int, float]], a: int, b: int) -> list[tuple[int, float]]:
    """Make b a part of a; returns the neighbours of b with what now speaks for joining each."""
    changed = []
    del edges[a][b]
    for other, weight in edges[b].items():
        if other != a:
            del edges[other][b]
            edges[a][other] = edges[other][a] = edges[a].get(other, 0.0) + weight
            changed.append((other, edges[a][other]))
    edges[b] = {}
    return changed
