"""Labelled pairs of functions: the same one rewritten, or a close neighbour rewritten alike.

Everything that rewriting leaves behind is the same in clones and in others: the second
side always went through `rewrite`, with names that are drawn by the same rule, and both
sides carry a random title. What tells is what the code does.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from codewren.demo.functions import (
    Collection,
    Function,
    collect,
    source_files,
    standard_library,
)
from codewren.demo.names import usable
from codewren.demo.neighbours import nearest
from codewren.demo.rewrites import retitled, rewrite
from codewren.demo.transplant import distance, transplanted
from codewren_runtime.errors import DataError
from codewren_runtime.files import write_bytes
from codewren_runtime.types import Example

__all__ = ["DemoPairs", "make_pairs", "write_pairs"]

CLONE, OTHER = 1, 0
# Without a limit: how often each function of a part is the first side of two pairs. To learn
# what rewriting leaves alone takes many rewritings; to measure it, one of each will do.
ROUNDS = {"labelled": 3, "unlabelled": 3, "test": 1}
FEWEST_FUNCTIONS = 30
POOL_PER_PAIR = 2  # functions read per wanted pair of a third: neighbours need a choice
SMALLEST_POOL = 400
NEIGHBOURS = 12
USES = 2  # a function that is many others' neighbour must not come to mean "other"
COMMON_NAMES = 300
LEAST_DISTANCE = 0.06
NEAR_MISSES = 0.6
MISSED_WORDS = (0.35, 0.75)
FIRST_WORDS = (0.0, 0.3)
OTHER_WORDS = (0.5, 1.0)
SHARED_NAMES = {CLONE: (0.0, 0.4), OTHER: (0.4, 1.0)}


@dataclass(frozen=True, slots=True)
class DemoPairs:
    """Pairs by part, and what they were made from; `unlabelled` keeps its labels for checks."""

    labelled: tuple[Example, ...]
    unlabelled: tuple[Example, ...]
    test: tuple[Example, ...]
    files_read: int
    files_skipped: int
    functions: int


@dataclass(frozen=True, slots=True)
class _Words:
    titles: tuple[str, ...]
    common: tuple[str, ...]


def make_pairs(
    seed: int,
    limit: int | None = None,
    root: Path | None = None,
    advance: Callable[[], None] | None = None,
) -> DemoPairs:
    """Clone detection from the sources under `root`, the standard library if None.

    `limit` is the number of pairs per part; a source folder that is too small for it gives
    fewer. The same seed, interpreter and sources give the same pairs. `advance` is called
    before each part is made.
    """
    root = standard_library() if root is None else root
    files = sorted(source_files(root), key=lambda file: _file_key(seed, file))
    enough = None if limit is None else 3 * max(POOL_PER_PAIR * limit, SMALLEST_POOL)
    collection = collect(root, files, enough)
    if collection.functions < FEWEST_FUNCTIONS:
        raise DataError(
            f"{root}: {collection.functions} usable functions in {len(files)} Python files, "
            f"at least {FEWEST_FUNCTIONS} are needed; give a folder with more sources"
        )
    words = _words(collection)
    parts: list[tuple[Example, ...]] = []
    for (name, rounds), third in zip(ROUNDS.items(), _thirds(collection), strict=True):
        if advance is not None:
            advance()
        parts.append(_part(third, words, limit, f"{seed}:{name}", rounds))
    labelled, unlabelled, test = parts
    return DemoPairs(
        labelled,
        unlabelled,
        test,
        files_read=len(collection.by_file),
        files_skipped=collection.files_skipped,
        functions=collection.functions,
    )


def _file_key(seed: int, file: str) -> str:
    return hashlib.sha256(f"{seed}:{file}".encode()).hexdigest()


def _words(collection: Collection) -> _Words:
    titles = {f.name for file in collection.by_file for f in file if usable(f.name)}
    counts = Counter(name for file in collection.by_file for f in file for name in f.locals)
    common = sorted(counts, key=lambda name: (-counts[name], name))[:COMMON_NAMES]
    return _Words(tuple(sorted(titles)), tuple(common))


def _thirds(collection: Collection) -> list[list[Function]]:
    """Whole files, in their hashed order, each to the part that has least."""
    thirds: list[list[Function]] = [[], [], []]
    for functions in collection.by_file:
        min(thirds, key=len).extend(functions)
    return thirds


def _part(
    functions: Sequence[Function], words: _Words, limit: int | None, name: str, rounds: int
) -> tuple[Example, ...]:
    rng = Random(name)
    pool = rng.sample(functions, len(functions))
    wanted = len(pool) if limit is None else min(len(pool), limit // 2 + limit // 4 + 4)
    neighbours = nearest(pool, wanted, NEIGHBOURS)
    pairs: list[Example] = []
    for _ in range(rounds if limit is None else 1):
        used: Counter[int] = Counter()
        for at, close in enumerate(neighbours):
            free = [other for other in close if used[other] < USES]
            if free and (limit is None or len(pairs) < limit):
                used[free[0]] += 1
                pairs += _two_pairs(pool[at], pool[free[0]], words, rng)
    pairs = pairs[:limit]
    rng.shuffle(pairs)
    return tuple(pairs)


def _two_pairs(function: Function, other: Function, words: _Words, rng: Random) -> list[Example]:
    """A clone and a non-clone of one function, made alike: the first side tells nothing."""
    function = transplanted(function, other, rng.uniform(*FIRST_WORDS), rng)
    different = _different(function, other, rng)
    if different is None:
        return []
    made = []
    for source, label in ((function, CLONE), (different, OTHER)):
        first = retitled(function.text, _draw(words.titles, rng))
        palette = _palette(function, other, words, rng, rng.uniform(*SHARED_NAMES[label]))
        titles = _draw(words.titles, rng)
        second = rewrite(source.text, rng, titles=titles, palette=palette)
        sides = (first, second) if rng.random() < 0.5 else (second, first)
        made.append(Example(*sides, label))
    return made


def _different(function: Function, other: Function, rng: Random) -> Function | None:
    """Either `function` with words of `other` or the reverse: no clone, though words agree."""
    turns = [(other, function, rng.uniform(*OTHER_WORDS)), (other, function, 0.0)]
    if rng.random() < NEAR_MISSES:
        turns[:0] = [(function, other, rng.uniform(*MISSED_WORDS)), (function, other, 1.0)]
    for source, donor, rate in turns:
        made = transplanted(source, donor, rate, rng)
        if distance(function, made) >= LEAST_DISTANCE:
            return made
    return None


def _draw(titles: Sequence[str], rng: Random) -> list[str]:
    return rng.choices(titles, k=8)


def _palette(
    function: Function, other: Function, words: _Words, rng: Random, share: float
) -> list[str]:
    """Names for the second side: about `share` of them from the first, the rest from elsewhere."""
    shared = rng.sample(function.locals, len(function.locals))
    strange = [*other.locals, *rng.choices(words.common, k=6)]
    rng.shuffle(strange)
    strange += rng.choices(words.common, k=40)
    mixed: list[str] = []
    while shared and strange:
        mixed.append((shared if rng.random() < share else strange).pop(0))
    return mixed + strange + shared


def write_pairs(pairs: DemoPairs, folder: Path) -> None:
    """Write labelled.jsonl, unlabelled.jsonl (no labels in it) and test.jsonl into `folder`."""
    write_bytes(folder / "labelled.jsonl", _lines(pairs.labelled, with_label=True))
    write_bytes(folder / "unlabelled.jsonl", _lines(pairs.unlabelled, with_label=False))
    write_bytes(folder / "test.jsonl", _lines(pairs.test, with_label=True))


def _lines(examples: Sequence[Example], *, with_label: bool) -> bytes:
    rows = []
    for example in examples:
        row: dict[str, str | int | None] = {"code1": example.text, "code2": example.text2}
        if with_label:
            row["label"] = example.label
        rows.append(json.dumps(row, ensure_ascii=True) + "\n")
    return "".join(rows).encode()
