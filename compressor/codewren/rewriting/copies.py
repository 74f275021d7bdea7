"""Rewritten copies of a text by chance: other names, layout, comments, dead code, order, loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from codewren.rewriting.layout import recommented, reformatted, with_dead_code
from codewren.rewriting.loops import with_other_loops
from codewren.rewriting.renaming import Code, read_code
from codewren.rewriting.statements import reordered
from codewren.source import Language

__all__ = ["name_pool", "other_names", "rewritten"]

DRAWS = 8
CHANGES = (reformatted, recommented, with_dead_code, reordered, with_other_loops)


def name_pool(texts: Iterable[str], language: Language | None = None) -> list[str]:
    """The local names of the texts, each as often as texts use it: names that people write."""
    codes = (read_code(text, language) for text in texts)
    return [name for code in codes if code is not None for name in code.names]


def other_names(code: Code, pool: Sequence[str], rng: Random, chance: float = 1.0) -> str:
    """Each local name gets another of `pool`, with this chance; those that find none stay."""
    mapping: dict[str, str] = {}
    taken: set[str] = set()
    for name in code.names:
        if not pool or rng.random() >= chance:
            continue
        drawn = (rng.choice(pool) for _ in range(DRAWS))
        new = next((n for n in drawn if n not in taken and code.accepts(n)), None)
        if new is not None:
            mapping[name] = new
            taken.add(new)
    return code.renamed(mapping)


def rewritten(text: str, pool: Sequence[str], rng: Random, language: Language | None = None) -> str:
    """One copy: most names others; every other kind of change in half of the cases.

    What cannot be parsed is given back as it is.
    """
    code = read_code(text, language)
    if code is None:
        return text
    text = other_names(code, pool, rng, chance=0.8)
    for change in CHANGES:
        again = read_code(text, code.language)
        if again is not None and rng.random() < 0.5:
            text = change(again, rng)
    return text
