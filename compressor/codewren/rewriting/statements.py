"""Neighbouring statements that change places where neither can tell.

Both declare, or both assign. Comments and directives between them keep them where they are, and so
does anything that is not surely plain (see effects.py). In Python only literals are plain, and
only for names that hold nothing yet: what a name held would be freed in another order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

from codewren.rewriting.effects import Effect, effect_of, literal_in_python
from codewren.rewriting.parsing import Place, parsed, with_some
from codewren.rewriting.renaming import Code
from codewren.rewriting.scalars import kinds_of
from codewren.rewriting.syntax import inside, text_of
from codewren.source import Language

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

__all__ = ["reordered", "swaps"]

_BLOCKS = frozenset({"compound_statement", "block", "constructor_body"})
_LOOPS = frozenset({"for_statement", "while_statement"})
# GNU C: the last statement within is the value of the whole.
_EXPRESSIONS = frozenset({"parenthesized_expression", "argument_list"})


def reordered(code: Code, rng: Random) -> str:
    """Some neighbouring statements that do not touch each other's variables change places."""
    return with_some(code.text, code.language, swaps(code), rng)


def swaps(code: Code) -> list[Place]:
    """Every two neighbours of a block that may change places."""
    source = code.text.encode()
    tree = parsed(source, code.language)
    found: list[Place] = []
    for (first, one), (second, other) in _neighbours(code, tree) if tree is not None else ():
        a, b = (first.start_byte, first.end_byte), (second.start_byte, second.end_byte)
        if (
            one.declares == other.declares
            and one.is_apart(other)
            and not source[a[1] : b[0]].strip()
        ):
            found.append(((a[0], b[1]), [(*a, source[slice(*b)]), (*b, source[slice(*a)])]))
    return found


def _neighbours(code: Code, tree: Tree) -> Iterator[tuple[tuple[Node, Effect], ...]]:
    """Plain statements of a block with what they do, by twos."""
    python = code.language is Language.PYTHON
    kinds = {} if python else kinds_of(code, tree)
    closed = _EXPRESSIONS if code.language is Language.C else _LOOPS if python else frozenset()
    for block in inside(tree.root_node, closed):
        if block.type in _BLOCKS:
            children = block.children
            effects = [
                _first_value(code, child) if python else effect_of(child, kinds)
                for child in children
            ]
            for (one, does), (other, then) in pairwise(zip(children, effects, strict=True)):
                if does is not None and then is not None:
                    yield (one, does), (other, then)


def _first_value(code: Code, statement: Node) -> Effect | None:
    """What Python does where a name of its own is given a literal, and is not named before."""
    to = literal_in_python(statement)
    spans = code.names.get(text_of(to), ()) if to is not None else ()
    if to is None or not spans or spans[0] != (to.start_byte, to.end_byte):
        return None
    return Effect(frozenset(), frozenset({text_of(to)}), declares=False)
