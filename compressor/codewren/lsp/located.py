"""The functions of a document, with the places that an editor shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import unquote, urlsplit

from codewren.lsp.lines import LineIndex, Place
from codewren.source import Function, Language, find_functions, language_of
from codewren_runtime.errors import DataError

MOST_SECONDS = 5.0

__all__ = ["Located", "innermost", "locate", "resolve_language"]


@dataclass(frozen=True, slots=True)
class Located:
    """A function where it stands. `key` is a hash of the text; places count UTF-16 units."""

    name: str
    text: str
    key: bytes
    start: Place
    end: Place
    mark: tuple[Place, Place]  # the name, or the first line if that is not in it


def locate(text: str, language: Language) -> list[Located]:
    """The functions in `text`, in their order; none where parsing takes `MOST_SECONDS` of CPU."""
    # What no UTF-8 has becomes one `?` each, so that characters keep their count.
    source = text.encode("utf-8", "replace")
    try:
        functions = find_functions(source, language, cpu_seconds=MOST_SECONDS)
    except DataError:  # hostile text: while it parses, no other document is served
        return []
    offsets = _characters(source, functions)
    index = LineIndex(text)
    return [_located(text, index, function, offsets) for function in functions]


def innermost(functions: Iterable[Located], place: Place) -> Located | None:
    """The shortest function around a place."""
    around = [f for f in functions if f.start <= place <= f.end]
    return min(around, key=lambda f: len(f.text), default=None)


def _located(text: str, index: LineIndex, function: Function, offsets: dict[int, int]) -> Located:
    begin, end = offsets[function.start_byte], offsets[function.end_byte]
    named = _find_word(text, function.name, begin, end)
    mark = (begin, min(end, index.line_end(begin)))
    if named is not None:
        mark = named, named + len(function.name)
    key = blake2b(function.text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Located(
        function.name or "function",
        function.text,
        key,
        index.place(begin),
        index.place(end),
        (index.place(mark[0]), index.place(mark[1])),
    )


def _find_word(text: str, word: str, begin: int, end: int) -> int | None:
    """Where `word` stands first, alone; a regular expression each would cost more than all else."""
    at = text.find(word, begin, end) if word else -1
    while at >= 0:
        around = text[at - 1 : at], text[at + len(word) : at + len(word) + 1]
        if not any(character.isalnum() or character == "_" for character in around):
            return at
        at = text.find(word, at + 1, end)
    return None


def _characters(source: bytes, functions: Iterable[Function]) -> dict[int, int]:
    """The offset in characters of every byte offset that a function names."""
    offsets, last, count = {}, 0, 0
    for byte in sorted({b for f in functions for b in (f.start_byte, f.end_byte)}):
        count += len(source[last:byte].decode("utf-8", "replace"))
        offsets[byte], last = count, byte
    return offsets


def resolve_language(language_id: str, uri: str) -> Language | None:
    """The language by the editor's word, else by the file's suffix; None if it is not known."""
    if language_id == "javascriptreact":  # the one grammar reads both
        return Language.JAVASCRIPT
    try:
        return Language(language_id)
    except ValueError:
        return language_of(unquote(urlsplit(uri).path))
