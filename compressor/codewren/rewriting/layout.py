"""Other white space, other comments, and statements that do nothing.

The tokens stay. In C and Java only what stands between two of them is touched, and there only
white space and comments: a line break is never taken away, so directives and `//` comments end
where they did.
"""

from __future__ import annotations

import ast
import warnings
from itertools import pairwise
from random import Random

from codewren.rewriting.parsing import parsed
from codewren.rewriting.renaming import Code
from codewren.rewriting.syntax import COMMENTS, Edit, Step, edited, leaves
from codewren.source import Language

__all__ = ["recommented", "reformatted", "with_dead_code"]

WORDINGS = ("checked above", "TODO", "internal", "see below", "note", "common case", "done here")

_BLOCKS = frozenset(
    {"compound_statement", "block", "constructor_body", "switch_block", "class_body"}
)
_CASES = frozenset({"case_statement", "else_statement"})
_DEAD = {
    Language.C: ("if (0) { }", "do { } while (0);", "while (0) { }"),
    Language.JAVA: ("if (false) { }", "do { } while (false);"),
    Language.PYTHON: ("pass", "if False: pass"),
}
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
    """All comments gone, and one of WORDINGS before a statement by chance."""
    source = code.text.encode()
    python = code.language is Language.PYTHON
    path_leaves = _leaves(code)
    blank = b"" if python else b" "
    edits: list[Edit] = [
        (path[-1].node.start_byte, path[-1].node.end_byte, blank)
        for path in path_leaves
        if path[-1].type in COMMENTS
    ]
    if places := _places(code, path_leaves):
        words = rng.choice(WORDINGS)
        comment = f"# {words}" if python else f"/* {words} */"
        edits.append(_inserted(source, rng.choice(places), comment, own_line=python))
    return edited(source, edits).decode()


def with_dead_code(code: Code, rng: Random) -> str:
    """A statement that does nothing before another one of a block, by chance."""
    places = _places(code, _leaves(code))
    if not places:
        return code.text
    source, statement = code.text.encode(), rng.choice(_DEAD[code.language])
    edit = _inserted(source, rng.choice(places), statement, own_line=True)
    return edited(source, [edit]).decode()


def _inserted(source: bytes, place: int, new: str, *, own_line: bool) -> Edit:
    """Put `new` before what stands at `place`, on a line of its own if that begins a line."""
    line = source[source.rfind(b"\n", 0, place) + 1 : place]
    gap = b"\n" + line if own_line and not line.strip() else b" "
    return place, place, new.encode() + gap


def _places(code: Code, path_leaves: list[list[Step]]) -> list[int]:
    """Where a statement of a block begins, before which another may stand."""
    source, found = code.text.encode(), []
    for path in path_leaves:
        start = path[-1].node.start_byte
        line = source[source.rfind(b"\n", 0, start) + 1 : start]
        if _begins_statement(path) and (code.language is not Language.PYTHON or not line.strip()):
            found.append(start)
    return found


def _leaves(code: Code) -> list[list[Step]]:
    tree = parsed(code.text.encode(), code.language)
    return [] if tree is None else [list(path) for path in leaves(tree, COMMENTS)]


def _begins_statement(path: list[Step]) -> bool:
    """Whether a leaf is the first of a statement of a block, and not the block's first.

    Of a block the first may be a docstring, or a constructor's call of another.
    """
    start = path[-1].node.start_byte
    for above, step in pairwise(path):
        if above.type in _BLOCKS and step.node.is_named and step.node.start_byte == start:
            first = above.node.named_children[0]
            return (
                step.type.endswith("_statement") and step.type not in _CASES and first != step.node
            )
    return False


def _unparsed(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.unparse(ast.parse(text)) + "\n"
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text
