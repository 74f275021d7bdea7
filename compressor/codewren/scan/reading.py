"""A file's functions and the answers to them, remembered by the file's bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from threading import Event

import numpy as np

from codewren.progress import Bar
from codewren.scan.answers import Answers, Array
from codewren.scan.files import MAX_BYTES, TOO_LARGE, UNREADABLE, SourceFile
from codewren.source import Function, find_functions, language_of
from codewren_runtime.errors import DataError

__all__ = ["FileAnswers", "Place", "place_of", "read_file", "read_files"]

# O_NONBLOCK: a pipe that has taken a file's name must not hold the scan.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
BINARY, PONDERED = "binary", "too hard to parse"


@dataclass(frozen=True, slots=True)
class Place:
    """A function where it stands: lines and columns count from 1, in characters.

    `end_column` is the one after its last character. `digest` is a hash of the text without its
    white space, the same wherever the function stands and however it is indented.
    """

    file: str
    function: str
    start_line: int
    end_line: int
    start_column: int
    end_column: int
    digest: str


@dataclass(frozen=True, slots=True)
class FileAnswers:
    """One file's functions and the answer to each, (functions, width); or why it was skipped."""

    places: tuple[Place, ...] = ()
    answers: Array | None = None
    skipped: str | None = None


class _StoppedError(Exception):
    """The user has interrupted."""


def read_files(
    files: Sequence[SourceFile], answers: Answers, jobs: int, skipped: Counter[str], bar: Bar
) -> Iterator[FileAnswers]:
    """Every file's functions and answers in order, `jobs` files at a time.

    No more than a few files per thread are held at once. Counts in `skipped`, by reason, the
    files that are no source after all. When the caller is interrupted, the threads stop after
    the function that they are at.
    """
    stop, pending = Event(), deque[Future[FileAnswers]]()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for file in files:
                pending.append(pool.submit(_read, file, answers, stop))
                if len(pending) >= 4 * jobs:
                    yield _next(pending, skipped, bar)
            while pending:
                yield _next(pending, skipped, bar)
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def read_file(file: SourceFile) -> bytes | str:
    """The bytes of a source file, or the reason why it is none."""
    try:
        handle = os.open(file.path, _READ)
        with open(handle, "rb") as stream:  # noqa: PTH123
            source = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError):
        return UNREADABLE
    if source is None or len(source) > MAX_BYTES:
        return UNREADABLE if source is None else TOO_LARGE
    return BINARY if b"\0" in source else source


def _next(pending: deque[Future[FileAnswers]], skipped: Counter[str], bar: Bar) -> FileAnswers:
    result = pending.popleft().result()
    if result.skipped is not None:
        skipped[result.skipped] += 1
    bar.advance()
    return result


def _read(file: SourceFile, answers: Answers, stop: Event) -> FileAnswers:
    source = read_file(file)
    if isinstance(source, str):
        return FileAnswers(skipped=source)
    language = language_of(file.path)
    assert language is not None
    key = answers.key(f"file {language}", source)
    stored = answers.cache.get(key)
    if stored is not None and (known := _unpack(stored, file.name, answers)) is not None:
        return known
    try:
        functions = find_functions(source, language)
    except DataError:
        return FileAnswers(skipped=PONDERED)
    found = []
    for function in functions:
        if stop.is_set():
            raise _StoppedError
        found.append(answers(function.text))
    places = tuple(place_of(file.name, source, function) for function in functions)
    rows = np.array(found, answers.dtype).reshape(len(found), answers.width)
    answers.cache.put(key, _pack(places, rows))
    return FileAnswers(places, rows)


def place_of(name: str, source: bytes, function: Function) -> Place:
    """Where a function of the file `name` stands."""
    return Place(
        name,
        " ".join(function.name.split()),
        function.start_line,
        function.end_line,
        _column(source, function.start_byte),
        _column(source, function.end_byte),
        hashlib.sha256(" ".join(function.text.split()).encode("utf-8", "replace")).hexdigest()[:32],
    )


def _column(source: bytes, offset: int) -> int:
    begin = source.rfind(b"\n", 0, offset) + 1
    return len(source[begin:offset].decode("utf-8", "replace")) + 1


def _pack(places: Sequence[Place], rows: Array) -> bytes:
    """Places as JSON on one line, then the answers' bytes."""
    fields = [list(asdict(place).values())[1:] for place in places]
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n" + rows.tobytes()


def _unpack(stored: bytes, name: str, answers: Answers) -> FileAnswers | None:
    """Inverse of `_pack`; None for what another version wrote."""
    head, _, tail = stored.partition(b"\n")
    try:
        places = tuple(Place(name, *fields) for fields in json.loads(head))
        rows = np.frombuffer(tail, answers.dtype).reshape(len(places), answers.width)
    except (ValueError, TypeError):
        return None
    return FileAnswers(places, rows)
