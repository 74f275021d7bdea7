"""Rewriting on real functions: how many can be rewritten, and that none is broken by it.

Every local name of each function gets a fresh name. Broken is a function whose tree then differs
in more than names, or whose local names are no longer those that were given. Every tenth function
also gets another layout, other comments and dead code; broken is one whose tokens then differ, or
that no longer parses. Each function that offers a place has neighbouring statements exchanged, then
loops brought into their other form; broken is one that no longer parses, or whose tokens, or for
loops those other than of the loops' own, are no longer as many of each.
Real data are read from shared/ beside the checkout. Writes one JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from itertools import count, islice
from pathlib import Path
from random import Random
from statistics import mean
from typing import Any

from codewren.rewriting import (
    exchanges,
    read_code,
    recommented,
    reformatted,
    reordered,
    swaps,
    with_dead_code,
    with_other_loops,
)
from codewren.rewriting.parsing import parsed
from codewren.rewriting.syntax import leaves, tree_of
from codewren.source import Language
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SETS = {
    "Devign test, C": ("devign/test_public.jsonl.gz", "func", Language.C),
    "Devign train, C": ("devign/train.jsonl.gz", "func", Language.C),
    "BigCloneBench, Java": ("bigclonebench/functions.jsonl.gz", "code", Language.JAVA),
}


def shape(text: str, language: Language) -> list[str] | None:
    """The node types on the way to each leaf; None where attributes keep it from parsing."""
    tree = tree_of(text.encode(), language)
    return tree and ["/".join(step.type for step in path) for path in leaves(tree)]


def names_of(text: str, language: Language) -> tuple[int, bool] | None:
    """How many local names a text has, and whether renaming breaks it; None if unparsed."""
    code = read_code(text, language)
    if code is None:
        return None
    fresh = (name for number in count() if code.accepts(name := f"v{number}"))
    mapping = dict(zip(code.names, fresh, strict=False))
    after = code.renamed(mapping)
    again = read_code(after, language)
    kept = again is not None and list(again.names) == list(mapping.values())
    return len(mapping), not (kept and shape(text, language) == shape(after, language))


def wording(text: str, language: Language) -> bool:
    """Whether another layout, other comments or dead code break a text."""
    code = read_code(text, language)
    if code is None:
        return False
    same = [change(code, Random(text)) for change in (reformatted, recommented)]
    more = with_dead_code(code, Random(text))
    return read_code(more, language) is None or any(
        tokens(after, language) != tokens(text, language) for after in same
    )


# What a loop of one form has and its other has not.
LOOP_TOKENS = frozenset({"for", "while", ";", "{", "}", ",", "1", "true"})


def moved(text: str, language: Language) -> dict[str, tuple[int, bool]]:
    """By kind: how many places a text offers, and whether a change there breaks it."""
    code = read_code(text, language)
    if code is None:
        return {}
    found = {}
    for kind, places, change, free in (
        ("order", swaps, reordered, frozenset()),
        ("loops", exchanges, with_other_loops, LOOP_TOKENS),
    ):
        offered, after = len(places(code)), change(code, Random(text))
        found[kind] = (offered, after != text)
        if offered:
            kept = after != text and read_code(after, language) is not None
            alike = bag(text, language, free) == bag(after, language, free)
            found[kind] = (offered, not (kept and alike))
    return found


def bag(text: str, language: Language, but: frozenset[str]) -> Counter[str]:
    return Counter(token for token in tokens(text, language) or [] if token not in but)


def tokens(text: str, language: Language) -> list[str] | None:
    """What is no comment, without white space around it."""
    tree = parsed(text.encode(), language)
    if tree is None:
        return None
    nodes = (path[-1].node for path in leaves(tree) if "comment" not in path[-1].type)
    return [token for node in nodes if (token := (node.text or b"").decode().strip())]


def measure(texts: list[str], language: Language) -> dict[str, Any]:
    begin = time.process_time()
    found = [result for text in texts if (result := names_of(text, language)) is not None]
    spent = 1000 * (time.process_time() - begin) / len(texts)
    changes = [moved(text, language) for text in texts]
    return {
        "functions": len(texts),
        "parsed": len(found),
        "with_names": sum(names > 0 for names, _ in found),
        "names_mean": mean(names for names, _ in found),
        "broken": sum(broken for _, broken in found),
        "broken_otherwise": sum(wording(text, language) for text in texts[::10]),
        **{kind: offers([each[kind] for each in changes if each]) for kind in ("order", "loops")},
        "cpu_ms_each": spent,
    }


def offers(found: list[tuple[int, bool]]) -> dict[str, int]:
    return {
        "functions_with_places": sum(places > 0 for places, _ in found),
        "places": sum(places for places, _ in found),
        "broken": sum(broken for _, broken in found),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=6_000, help="functions of each set")
    parser.add_argument("--quick", action="store_true", help="100 functions of each set")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    results = {}
    for title, (name, field, language) in SETS.items():
        with gzip.open(SHARED / name, "rt", encoding="utf-8") as lines:
            texts = [
                json.loads(line)[field]
                for line in islice(lines, 100 if given.quick else given.count)
            ]
        results[title] = row = measure(texts, language)
        print(
            f"| {title} | {row['functions']:,} | {row['parsed']:,} | {row['with_names']:,} "
            f"| {row['names_mean']:.1f} | {row['broken']} | {row['broken_otherwise']} "
            f"| {list(row['order'].values())} | {list(row['loops'].values())} "
            f"| {row['cpu_ms_each']:.1f} ms |",
            flush=True,
        )
    write_json(given.out / "rewriting.json", {"sets": results})


if __name__ == "__main__":
    main()
