"""What each character of a text belongs to: a keyword, a name, a literal…, by tree-sitter.

The leaves of the syntax tree say it, whatever the grammar: which are named, and what they are
called. A text that is only a piece of a file, or has errors, still has leaves.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from codewren.rewriting import LANGUAGES
from codewren.rewriting.syntax import CPU_SECONDS, Step, leaves
from codewren.source import Language
from codewren.source.functions import parse
from codewren_runtime.errors import DataError

if TYPE_CHECKING:
    from tree_sitter import Tree

__all__ = ["KINDS", "kinds_of_characters"]

KINDS = (
    "keyword", "name", "type", "literal", "string", "comment", "operator", "punctuation",
)  # fmt: skip

_KEYWORD, _NAME, _TYPE, _LITERAL, _STRING, _COMMENT, _OPERATOR, _PUNCTUATION = range(len(KINDS))
_PUNCTUATIONS = frozenset("()[]{};,.:")
_CONSTANTS = frozenset({"true", "false", "none", "null", "nil", "undefined", "null_literal"})
_CHARACTERS = frozenset({"char_literal", "character_literal", "rune_literal", "character"})
_PRIMITIVES = frozenset({"type", "integral_type", "floating_point_type", "predefined_type"})
_NUMBERS = ("number", "integer", "int_", "float", "imaginary", "boolean")


def kinds_of_characters(text: str, language: Language | None, none: int) -> Sequence[int]:
    """The index in KINDS for each character, `none` for white space and what no tree reaches.

    Without a language, that of LANGUAGES in which the fewest characters lie in errors. Raises
    MissingExtraError without the extra `scan`.
    """
    source = text.encode("utf-8", "replace")
    kinds = np.full(len(source), none, dtype=np.int16)
    tree = _tree(source, LANGUAGES if language is None else (language,))
    if tree is not None:
        for path in leaves(tree):
            kind = _kind(path)
            if kind is not None:
                kinds[path[-1].node.start_byte : path[-1].node.end_byte] = kind
    first_bytes = (np.frombuffer(source, np.uint8) & 0xC0) != 0x80
    found: list[int] = kinds[first_bytes].tolist()
    return found


def _tree(source: bytes, languages: Sequence[Language]) -> Tree | None:
    """The tree with the fewest bytes in errors; None where every parse takes too long."""
    best, least = None, len(source) + 1
    for language in languages:
        try:
            tree = parse(source, language, time.thread_time() + CPU_SECONDS)
        except DataError:
            continue
        wrong = _wrong(tree) if tree.root_node.has_error else 0
        if wrong < least:
            best, least = tree, wrong
        if not least:
            break
    return best


def _wrong(tree: Tree) -> int:
    """How many bytes lie in errors, and one for each thing that is missing."""
    wrong = 0
    for path in leaves(tree):
        if path[-1].node.is_missing or any(step.node.is_error for step in path):
            wrong += max(1, path[-1].node.end_byte - path[-1].node.start_byte)
    return wrong


def _kind(path: Sequence[Step]) -> int | None:
    """What a leaf is; None for what the grammar did not know what to make of."""
    leaf = path[-1]
    for step in path:
        if not step.node.is_named:
            continue
        if "comment" in step.type:
            return _COMMENT
        if "string" in step.type or step.type in _CHARACTERS:
            return _STRING
    # `int` is a word of the grammar in Java, and a name in Python.
    if len(path) > 1 and path[-2].type in _PRIMITIVES and leaf.type.isidentifier():
        return _TYPE
    return _named(leaf.type) if leaf.node.is_named else _unnamed(leaf.type)


def _named(name: str) -> int | None:
    if name in {"ERROR", "MISSING"}:
        return None
    if name.endswith("_type") or name == "type_identifier":
        return _TYPE
    if "identifier" in name:
        return _NAME
    if name in _CONSTANTS or any(number in name for number in _NUMBERS):
        return _LITERAL
    return _KEYWORD  # this, super, break_statement…


def _unnamed(name: str) -> int:
    if name in _CONSTANTS:
        return _LITERAL
    if name[:1].isalpha() or name[:1] in "#@":
        return _KEYWORD
    return _PUNCTUATION if name in _PUNCTUATIONS else _OPERATOR
