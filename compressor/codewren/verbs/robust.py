"""Metamorphic consistency: does a model answer alike when the meaning stays?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from random import Random

from codewren.data import Dataset, evenly
from codewren.progress import Reporter
from codewren.rewriting import (
    Code,
    name_pool,
    other_names,
    read_code,
    recommented,
    reformatted,
    reordered,
    with_other_loops,
)
from codewren.target import Target
from codewren_runtime.types import Example

__all__ = ["Consistency", "consistency", "rewordings", "sentence"]

MOST = 500  # rows

Reworded = Mapping[str, list[tuple[int, Example]]]


@dataclass(frozen=True, slots=True)
class Consistency:
    """`kept` of `changed` examples have the answer that they had before a kind of change."""

    kind: str
    changed: int
    kept: int


def rewordings(data: Dataset) -> Reworded:
    """By kind of change, the rows that it changes and what it makes of them.

    Names, layout, comments, the order of statements and loops of the first text (C, Java,
    Python); of a pair also its mirror.
    At most `MOST` rows, evenly spread. Raises MissingExtraError without the extra `scan`.
    """
    chosen = evenly(len(data.examples), MOST)
    pool = name_pool(data.examples[row].text for row in chosen)
    changes: dict[str, Callable[[Code, Random], str]] = {
        "names": lambda code, rng: other_names(code, pool, rng),
        "layout": reformatted,
        "comments": recommented,
        "order": reordered,
        "loops": with_other_loops,
    }
    made: dict[str, list[tuple[int, Example]]] = {kind: [] for kind in changes}
    mirrored = []
    for row in chosen:
        example, code = data.examples[row], read_code(data.examples[row].text)
        for kind, change in changes.items() if code is not None else ():
            assert code is not None
            text = change(code, Random(f"{kind} {row}"))
            if text != example.text:
                made[kind].append((row, replace(example, text=text)))
        if example.text2 is not None:
            mirrored.append((row, replace(example, text=example.text2, text2=example.text)))
    return {**made, "mirror": mirrored} if mirrored else made


def consistency(
    reporter: Reporter, target: Target, data: Dataset, reworded: Reworded
) -> list[dict[str, str | int]]:
    """How many answers of `target` stay, by kind of change, as plain JSON values."""
    rows = sorted({row for made in reworded.values() for row, _ in made})
    total = len(rows) + sum(map(len, reworded.values()))
    with reporter.step(f"consistency {target.path.name}", total) as bar:

        def answers(examples: list[Example]) -> list[int]:
            found = []
            for start in range(0, len(examples), 64):
                found += [answer for answer, _ in target.judge(examples[start : start + 64])]
                bar.advance(len(examples[start : start + 64]))
            return found

        before = dict(zip(rows, answers([data.examples[row] for row in rows]), strict=True))
        found = []
        for kind, made in reworded.items():
            after = answers([example for _, example in made])
            kept = sum(before[row] == answer for (row, _), answer in zip(made, after, strict=True))
            found.append(asdict(Consistency(kind, len(made), kept)))
    return found


def sentence(title: str, found: list[dict[str, str | int]]) -> str:
    """One line for the report."""
    parts = [
        f"{row['kind']} {100 * int(row['kept']) / int(row['changed']):.1f} % of {row['changed']:,}"
        for row in found
        if row["changed"]
    ]
    name = title.split(":", maxsplit=1)[0]
    return f"{name} keeps its answer under other: {', '.join(parts)}"
