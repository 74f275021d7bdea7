"""Renaming local variables and parameters so that the text means what it meant.

A name may be renamed if every variable of that name in the text lies in the scope of a
declaration of it there; it is then renamed everywhere at once, to a name that occurs nowhere in
the text. So no binding changes, whatever the scopes are: nothing is captured, nothing is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codewren.rewriting import c, java, python
from codewren.rewriting.parsing import parsed
from codewren.rewriting.reserved import looks_like_macro, usable
from codewren.rewriting.syntax import FREE, PINNED, USE, WORD, Classify, Span, edited, leaves
from codewren.source import Language

if TYPE_CHECKING:
    from tree_sitter import Tree

__all__ = ["LANGUAGES", "Code", "read_code"]

# In the order in which a text of unknown language is tried.
LANGUAGES = (Language.C, Language.JAVA, Language.PYTHON)

_TEXTS = frozenset(
    {
        "comment", "line_comment", "block_comment", "string_content", "string_fragment",
        "system_lib_string", "character", "character_literal", "escape_sequence",
        "multiline_string_fragment", "number_literal",
    }
)  # fmt: skip

_Spans = dict[str, list[Span]]


@dataclass(frozen=True, slots=True)
class Code:
    """A text that was parsed to its end, and where its local names stand (bytes, UTF-8).

    `names` are in the order of their first occurrence; `words` are all words of the text.
    """

    text: str
    language: Language
    names: Mapping[str, tuple[Span, ...]]
    words: frozenset[str]

    def accepts(self, name: str) -> bool:
        """Whether a local variable may be called `name` here."""
        return name not in self.words and usable(name, self.language)

    def renamed(self, mapping: Mapping[str, str]) -> str:
        """The text with local names replaced.

        Raises ValueError for a name that may not be renamed or given, or is given twice.
        """
        new = list(mapping.values())
        if len(set(new)) < len(new) or not all(map(self.accepts, new)):
            raise ValueError(f"names are not free here: {new}")
        if unknown := mapping.keys() - self.names.keys():
            raise ValueError(f"no local names: {sorted(unknown)}")
        edits = [(*span, to.encode()) for name, to in mapping.items() for span in self.names[name]]
        return edited(self.text.encode(), edits).decode()


def read_code(text: str, language: Language | None = None) -> Code | None:
    """Look a text over; None if it cannot be parsed to its end, in any of LANGUAGES if not given.

    Raises MissingExtraError without the extra `scan`.
    """
    for tried in LANGUAGES if language is None else (language,):
        found = _read(text, tried)
        if found is not None:
            return found
    return None


def _read(text: str, language: Language) -> Code | None:
    try:
        source = text.encode()
    except UnicodeEncodeError:
        return None
    tree = parsed(source, language)
    if tree is None:
        return None
    if language is Language.PYTHON:
        found = _python(tree, text)
    elif language is Language.JAVA:
        found = _scoped(tree, java.classify, java.OPAQUE)
    else:
        found = _scoped(tree, c.classify, c.OPAQUE)
    names = {n: tuple(s) for n, s in found.items() if not looks_like_macro(n) and len(s) > 0}
    return Code(text, language, names, frozenset(WORD.findall(text)))


def _scoped(tree: Tree, classify: Classify, opaque: frozenset[str]) -> _Spans:
    """Names whose every use is covered by the scope of a declaration."""
    uses: _Spans = {}
    scopes: _Spans = {}
    pinned: set[str] = set()
    for path in leaves(tree, opaque):
        leaf = path[-1].node
        if leaf.type in _TEXTS or len(path) < 2:
            continue
        words = _words(leaf.text)
        role = PINNED if leaf.type in opaque or len(words) != 1 else classify(path)
        if role is PINNED:
            pinned.update(words)
        elif role is not FREE:
            span = (leaf.start_byte, leaf.end_byte)
            uses.setdefault(words[0], []).append(span)
            if role is not USE:
                assert role.scope is not None
                scopes.setdefault(words[0], []).extend([span, role.scope])
    return {
        name: spans
        for name, spans in uses.items()
        if name not in pinned and all(_covered(span, scopes.get(name, [])) for span in spans)
    }


def _words(text: bytes | None) -> list[str]:
    return WORD.findall((text or b"").decode("utf-8", "replace"))


def _covered(span: Span, scopes: list[Span]) -> bool:
    return any(start <= span[0] and span[1] <= end for start, end in scopes)


def _python(tree: Tree, text: str) -> _Spans:
    lines = _line_starts(text)
    ranges = [
        (lines[function.lineno - 1], lines[function.end_lineno or function.lineno], set(names))
        for function, names in python.local_names(text)
    ]
    found: _Spans = {}
    for path in leaves(tree):
        leaf = path[-1].node
        if len(path) > 1 and python.is_variable(path):
            name, start = (leaf.text or b"").decode(), leaf.start_byte
            if any(first <= start < end and name in names for first, end, names in ranges):
                found.setdefault(name, []).append((start, leaf.end_byte))
    return found if _agrees(found, text) else {}


def _agrees(found: _Spans, text: str) -> bool:
    """Whether Python's own parser sees each of the names where they were found."""
    if not found:
        return True
    words = frozenset(WORD.findall(text))
    fresh = (f"renamed_{number}" for number in range(1 << 30))
    code = Code(text, Language.PYTHON, {n: tuple(s) for n, s in found.items()}, words)
    mapping = dict(zip(found, (name for name in fresh if name not in words), strict=False))
    return python.same_but_for_names(text, code.renamed(mapping), mapping)


def _line_starts(text: str) -> list[int]:
    """Byte offsets of the lines as Python counts them, and the end of the text."""
    starts = [0]
    for line in _lines(text):
        starts.append(starts[-1] + len(line.encode()))
    return starts


def _lines(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        end = at
        while end < len(text) and text[end] not in "\r\n":
            end += 1
        end += 2 if text[end : end + 2] == "\r\n" else 1
        yield text[at:end]
        at = end
