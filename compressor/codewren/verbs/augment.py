"""augment: rows and rewritings of them that mean the same, for label and distill."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from codewren.data import Dataset, Fields, evenly
from codewren.data.folder import EXTENSIONS
from codewren.data.jsonl import raw_rows_of
from codewren.data.rows import ORIGINAL
from codewren.progress import Reporter
from codewren.rewriting import name_pool, read_code, rewritten
from codewren.source import Language
from codewren.target import Target
from codewren_runtime.files import ESCAPED, atomic_path, file_sha256
from codewren_runtime.types import Example

if TYPE_CHECKING:
    from codewren.attack import Source

__all__ = ["AugmentSettings", "Opponent", "augment"]

POOL_TEXTS = 2_000  # whose names serve as new names


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """`copies` rewritings of every row, if so many differ."""

    copies: int = 1
    seed: int = 0
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class Opponent:
    """A model that is attacked on every row, within `queries`; what fools it becomes a row."""

    target: Target
    source: Source
    queries: int = 100


def augment(
    reporter: Reporter,
    data: Dataset,
    fields: Fields,
    out: Path,
    settings: AugmentSettings,
    opponent: Opponent | None = None,
) -> dict[str, Any]:
    """Write every row of `data` to `out` (gzip by its suffix) with its rewritings after it.

    A rewriting keeps the row's other fields and names in `rewritten_from` the texts that it was
    made from, whose soft label is its own. Returns how many rows of each kind there are.
    """
    raw = _raw(data, fields)
    chosen = evenly(len(data.examples), POOL_TEXTS)
    texts = (text for at in chosen for text in data.examples[at].texts)
    pool = name_pool(texts, settings.language)
    counts = {"rows": 0, "copies": 0, "adversarial": 0}
    with (
        atomic_path(out) as temporary,
        temporary.open("wb") as file,
        reporter.step("augment", len(data.examples)) as bar,
    ):
        zipped = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if out.suffix == ".gz" else file
        with zipped as stream:
            for row, example in enumerate(data.examples):
                for kind, made in _made(row, example, pool, settings, opponent):
                    counts[kind] += 1
                    line = _row(raw[row], fields, example, made)
                    stream.write(_encoded(line))
                bar.advance(1, f"{counts['adversarial']} fooled" if opponent else "")
    return {"out": str(out), **counts, "sha256": file_sha256(out)}


def _made(
    row: int,
    example: Example,
    pool: list[str],
    settings: AugmentSettings,
    opponent: Opponent | None,
) -> Iterator[tuple[str, Example]]:
    """The row itself, its copies, and what fools the opponent; each text once."""
    seen = {example.texts}
    yield "rows", example
    for copy in range(settings.copies):
        rng = Random(f"{settings.seed} {row} {copy}")
        texts = tuple(rewritten(text, pool, rng, settings.language) for text in example.texts)
        if texts not in seen:
            seen.add(texts)
            yield "copies", Example.of(texts)
    if opponent is not None:
        fooling = _fooling(row, example, settings, opponent)
        if fooling is not None and fooling.texts not in seen:
            yield "adversarial", fooling


def _fooling(
    row: int, example: Example, settings: AugmentSettings, opponent: Opponent
) -> Example | None:
    """The example under names that change the opponent's answer, whatever that is."""
    from codewren.attack import attack_example

    code = read_code(example.text, settings.language)
    if code is None:
        return None
    outcome = attack_example(
        opponent.target,
        example,
        opponent.target.judge([example])[0],
        code,
        opponent.source(row, code),
        queries=opponent.queries,
        rng=Random(f"{settings.seed} {row}"),
    )
    return replace(example, text=code.renamed(outcome.renaming)) if outcome.flipped else None


def _raw(data: Dataset, fields: Fields) -> list[dict[str, Any]]:
    """The rows as they are in the file, without the fields that texts replace."""
    if data.path.is_dir() or data.path.suffix.lower() in EXTENSIONS:
        return [{} for _ in data.lines]
    ids = {fields.id1, fields.id2}
    return [
        {name: value for name, value in row.items() if name not in ids}
        for row in raw_rows_of(data, fields)
    ]


def _encoded(line: dict[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode("utf-8", ESCAPED) + b"\n"


def _row(raw: dict[str, Any], fields: Fields, example: Example, made: Example) -> dict[str, Any]:
    names = [name for _, name in fields.of_texts] if fields.id1 is None else ["text1", "text2"]
    line = {**raw, **dict(zip(names, made.texts, strict=True))}
    if made.texts != example.texts:
        line[ORIGINAL] = list(example.taught)
    return line
