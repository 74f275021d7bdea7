"""Groups of functions that a pair model takes for clones, over a whole tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from codewren.progress import Reporter
from codewren.scan.answers import Answers
from codewren.scan.findings import Finding, Verdict
from codewren.scan.reading import Place
from codewren_runtime import Model

__all__ = ["MAX_FUNCTIONS", "NEIGHBOURS", "clone_groups", "nearest_pairs"]

NEIGHBOURS = 5
# Their embeddings are held at once, and each is measured against all others.
MAX_FUNCTIONS = 100_000
_BLOCK_VALUES = 1 << 21  # 8 MB of distances at a time
_PAIRS_PER_STEP = 1_000

Pairs = NDArray[np.int64]


def clone_groups(
    places: Sequence[Place],
    embeddings: NDArray[np.float32],
    answers: Answers,
    verdict: Verdict,
    jobs: int,
    reporter: Reporter,
) -> list[Finding]:
    """Groups of two functions or more, each linked to another of its group by the model.

    `embeddings` is (places, hidden_size). Functions of equal text count as one until they are
    grouped. The candidates are each text's `NEIGHBOURS` nearest by Euclidean distance, so that a
    pair which the embeddings hold far apart is not compared. A group's probability is that of
    the weakest link which it needs. What the model says of the pairs is remembered for as long as
    no function changes.
    """
    by_text: dict[str, list[int]] = {}
    for index, place in enumerate(places):
        by_text.setdefault(place.digest, []).append(index)
    members = list(by_text.values())
    texts = embeddings[[same[0] for same in members]]
    copied = np.array([len(same) > 1 for same in members], np.bool_)
    key = answers.key(f"pairs {verdict.label}", texts.tobytes() + copied.tobytes())
    stored = answers.cache.get(key)
    if stored is None:
        itself = np.repeat(np.flatnonzero(copied), 2).reshape(-1, 2)
        pairs = np.concatenate([itself, nearest_pairs(texts)])
        probabilities = _compare(pairs, texts, answers.model, verdict.label, jobs, reporter)
        answers.cache.put(key, np.column_stack([pairs, probabilities]).tobytes())
    else:
        table = np.frombuffer(stored, np.float64).reshape(-1, 3)
        pairs, probabilities = table[:, :2].astype(np.int64), table[:, 2]
    groups = _join(pairs, probabilities, verdict.threshold, len(members))
    return [
        _finding(verdict, probability, [places[p] for i in group for p in members[i]])
        for group, probability in groups
    ]


def nearest_pairs(embeddings: NDArray[np.float32]) -> Pairs:
    """Index pairs (n, 2), the smaller first, of each row and its `NEIGHBOURS` nearest others."""
    count = len(embeddings)
    nearest = min(NEIGHBOURS, count - 1)
    if nearest < 1:
        return np.empty((0, 2), np.int64)
    norms = np.einsum("ij,ij->i", embeddings, embeddings)
    step = max(1, _BLOCK_VALUES // count)
    found = []
    for begin in range(0, count, step):
        rows = np.arange(begin, min(begin + step, count))
        distances = norms - 2 * embeddings[rows] @ embeddings.T  # less each row's own norm
        distances[rows - begin, rows] = np.inf
        others = np.argpartition(distances, nearest - 1, axis=1)[:, :nearest]
        pairs = np.stack([np.repeat(rows, nearest), others.ravel()], axis=1)
        found.append(np.sort(pairs, axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _compare(
    pairs: Pairs,
    texts: NDArray[np.float32],
    model: Model,
    label: str,
    jobs: int,
    reporter: Reporter,
) -> NDArray[np.float64]:
    """The probability of `label` for each pair."""

    def judge(some: Pairs) -> list[float]:
        return [model.compare(texts[i], texts[j]).probabilities[label] for i, j in some]

    found: list[float] = []
    with ThreadPoolExecutor(jobs) as pool, reporter.step("compare", len(pairs)) as bar:
        for begin in range(0, len(pairs), _PAIRS_PER_STEP):
            part = pairs[begin : begin + _PAIRS_PER_STEP]
            size = -(-len(part) // jobs)
            chunks = [part[i : i + size] for i in range(0, len(part), size)]
            for answers in pool.map(judge, chunks):
                found += answers
            bar.advance(len(part))
    return np.array(found)


def _join(
    pairs: Pairs, probabilities: NDArray[np.float64], threshold: float, count: int
) -> Iterator[tuple[list[int], float]]:
    """Connected components of the pairs from `threshold` on, each with its weakest needed link."""
    parent = list(range(count))
    weakest: dict[int, float] = {}

    def top(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for at in np.argsort(-probabilities, kind="stable"):
        if (probability := float(probabilities[at])) < threshold:
            break
        first, second = (top(int(node)) for node in pairs[at])
        if first == second:  # equal texts, or functions that likelier links have joined
            weakest.setdefault(first, probability)
        else:
            parent[second] = first
            weakest.pop(second, None)
            weakest[first] = probability
    components: dict[int, list[int]] = {}
    for node in range(count):
        if (root := top(node)) in weakest:
            components.setdefault(root, []).append(node)
    for root, group in components.items():
        yield group, weakest[root]


def _finding(verdict: Verdict, probability: float, places: list[Place]) -> Finding:
    places.sort(key=lambda place: (place.file, place.start_line))
    return Finding(verdict.rule, verdict.label, probability, tuple(places))
