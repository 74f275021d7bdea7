"""Real code to time on: functions of a user's sources, of a data set, or of Python's library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from codewren_runtime.errors import DataError

__all__ = ["Inputs", "read_inputs"]

AMPLE = 20  # times as many functions as are asked for: enough to draw from


@dataclass(frozen=True, slots=True)
class Inputs:
    """Functions to time on, and where they come from."""

    texts: tuple[str, ...]
    source: str


def read_inputs(path: Path | None, field: str, count: int, seed: int) -> Inputs:
    """A seeded sample of `count` functions, or all where there are fewer.

    `path` is a folder or file of sources, or JSON lines (gzip accepted) with the code in `field`;
    None takes this Python's standard library. Raises DataError in one line if there is no
    function, and MissingExtraError where sources are to be read without the extra `scan`.
    """
    rng = Random(seed)
    if path is None:
        found, source = _library(rng, AMPLE * count), "Python's standard library"
    else:
        from codewren.source import language_of

        code = path.is_dir() or language_of(path) is not None
        found, source = _sources([path]) if code else _rows(path, field), path.name
    if not found:
        raise DataError(f"{path}: no function found there; give sources, or JSON lines with code")
    return Inputs(tuple(rng.sample(found, min(count, len(found)))), source)


def _library(rng: Random, enough: int) -> list[str]:
    from codewren.demo.functions import source_files, standard_library

    root = standard_library()
    files = source_files(root)
    rng.shuffle(files)
    found: list[str] = []
    for file in files:
        found += _sources([root / file])
        if len(found) >= enough:
            break
    return found


def _sources(paths: Sequence[Path]) -> list[str]:
    return list(dict.fromkeys(_functions(paths)))


def _functions(paths: Sequence[Path]) -> Iterator[str]:
    from codewren.scan.files import find_files, root_of
    from codewren.scan.reading import read_file
    from codewren.source import find_functions, language_of

    for file in find_files(paths, root_of(paths), Counter()):
        source, language = read_file(file), language_of(file.path)
        if isinstance(source, bytes) and language is not None:
            with suppress(DataError):  # what the parser cannot bear is no input
                yield from (function.text for function in find_functions(source, language))


def _rows(path: Path, field: str) -> list[str]:
    from codewren.data import Fields, read_examples

    data = read_examples(path, Fields(text=field, label=None), None, require_label=False)
    return [example.text for example in data.examples]
