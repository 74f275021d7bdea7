"""Other white space and other comments; not a token changes.

In C and Java only what stands between two tokens is touched, and there only white space and
comments: a line break is never taken away, so directives and `//` comments end where they did.
"""

from __future__ import annotations

import ast
import warnings
from itertools import pairwise
from random import Random

from codewren.rewriting.parsing import parsed
from codewren.rewriting.renaming import Code
from codewren.rewriting.syntax import Edit, Step, edited, leaves
from codewren.source import Language

__all__ = ["recommented", "reformatted"]

COMMENTS = ("checked above", "TODO", "internal", "see below", "note", "common case", "done here")

_COMMENTS = frozenset({"comment", "line_comment", "block_comment"})
_BLOCKS = frozenset(
    {"compound_statement", "block", "constructor_body", "switch_block", "class_body"}
)
_INDENTATIONS = (b"\t", b"  ", b"    ", b"        ")


def reformatted(code: Code, rng: Random) -> str:
    """Lines indented anew, braces on lines of their own or not; Python as `ast` writes it."""
    if code.language is Language.PYTHON:
        return _unparsed(code.text)
    source = code.text.encode()
    unit, own_line = rng.choice(_INDENTATIONS), rng.random() < 0.5
    edits: list[Edit] = []
    end, after = 0, ""
    for path in _leaves(code):
        leaf = path[-1]
        gap = source[end : leaf.node.start_byte]
        if not gap.strip() and end:
            depth = sum(step.type in _BLOCKS for step in path[:-1]) - (leaf.type in "{}")
            if b"\n" in gap or (own_line and after == ")" and leaf.type == "{"):
                edits.append((end, leaf.node.start_byte, b"\n" + depth * unit))
        end, after = leaf.node.end_byte, leaf.type
    return edited(source, edits).decode()


def recommented(code: Code, rng: Random) -> str:
    """All comments gone, and one of COMMENTS before a statement by chance."""
    source = code.text.encode()
    edits: list[Edit] = []
    places: list[int] = []
    python = code.language is Language.PYTHON
    for path in _leaves(code):
        node = path[-1].node
        if path[-1].type in _COMMENTS:
            edits.append((node.start_byte, node.end_byte, b"" if python else b" "))
        elif _begins_statement(path) and (
            not python
            or not source[node.start_byte - node.start_point.column : node.start_byte].strip()
        ):
            places.append(node.start_byte)
    if places:
        place, words = rng.choice(places), rng.choice(COMMENTS)
        line = source.rfind(b"\n", 0, place) + 1
        new = f"# {words}\n".encode() + source[line:place] if python else f"/* {words} */ ".encode()
        edits.append((place, place, new))
    return edited(source, edits).decode()


def _leaves(code: Code) -> list[list[Step]]:
    tree = parsed(code.text.encode(), code.language)
    return [] if tree is None else [list(path) for path in leaves(tree, _COMMENTS)]


def _begins_statement(path: list[Step]) -> bool:
    """Whether a leaf is the first of a statement of a block."""
    start = path[-1].node.start_byte
    return any(
        above.type in _BLOCKS and step.node.start_byte == start and step.node.is_named
        for above, step in pairwise(path)
    )


def _unparsed(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.unparse(ast.parse(text)) + "\n"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
