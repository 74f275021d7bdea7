"""Find the functions in a text, whatever the text is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from time import thread_time

import tree_sitter
from tree_sitter import Node, Parser, Point, TreeCursor

from codewren.source.languages import GRAMMARS, Language
from codewren_runtime.errors import DataError

__all__ = ["Function", "ParseTimeoutError", "find_functions"]

# The parser lets other threads run only while it asks for more, or whether to go on.
CHUNK = 1 << 14
# Of CPU time. A megabyte of code takes about half a second, a hostile one may take minutes.
MOST_SECONDS = 5.0
# C's declarators that hold the next one without a field.
_WRAPPERS = {"reference_declarator", "parenthesized_declarator"}
# A function without a name of its own has that of what it is assigned to.
_ASSIGNED = {
    "variable_declarator": "name",
    "assignment_expression": "left",
    "pair": "key",
    "public_field_definition": "name",
    "field_definition": "property",
}


class ParseTimeoutError(DataError):
    """The parser pondered over a text for `MOST_SECONDS`."""


@dataclass(frozen=True, slots=True)
class Function:
    """A named function with its body. What is no UTF-8 is replaced in `name` and `text`.

    Lines count from 1, both are the function's; `end_byte` is the one after its last.
    """

    name: str
    text: str
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int


def find_functions(source: bytes, language: Language) -> list[Function]:
    """All functions with a name and a body, in the order of their beginning; nested ones too.

    Text that is no code of that language gives the functions that the parser makes out in it.
    Raises ParseTimeoutError for text over which it ponders for `MOST_SECONDS`.
    """
    limit = thread_time() + MOST_SECONDS

    def read(offset: int, _: Point) -> bytes:
        return source[offset : offset + CHUNK]

    def too_long(*_: object) -> bool:
        return thread_time() > limit

    grammar, kinds = _grammar(language)
    try:
        tree = Parser(grammar).parse(read, progress_callback=too_long)
    except ValueError as error:  # it was stopped
        raise ParseTimeoutError("the parser takes too long; leave the file out") from error
    named = ((node, _name(node, source)) for node in _nodes(tree.walk(), kinds))
    return [_function(node, name, source) for node, name in named if name]


@cache
def _grammar(language: Language) -> tuple[tree_sitter.Language, frozenset[int]]:
    known = GRAMMARS[language]
    grammar = tree_sitter.Language(getattr(import_module(known.module), known.entry)())
    ids = {grammar.id_for_node_kind(kind, True) for kind in known.functions}
    return grammar, frozenset(i for i in ids if i is not None)


def _nodes(cursor: TreeCursor, kinds: frozenset[int]) -> Iterator[Node]:
    """The nodes of these kinds that have a body; no recursion, since code may nest deeply."""
    while True:
        node = cursor.node
        if node is not None and node.kind_id in kinds and node.child_by_field_name("body"):
            yield node
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _function(node: Node, name: str, source: bytes) -> Function:
    return Function(
        name,
        _text(node, source),
        node.start_point.row + 1,
        node.end_point.row + 1,
        node.start_byte,
        node.end_byte,
    )


def _name(node: Node, source: bytes) -> str:
    """The function's own name, or that of what it is assigned to; empty if it has neither."""
    last = node
    while (inner := _inner(last)) is not None:
        last = inner
    if last is not node:
        return _text(last, source)
    parent = node.parent
    field = _ASSIGNED.get(parent.type) if parent is not None else None
    target = parent.child_by_field_name(field) if parent is not None and field else None
    return "" if target is None else _text(target, source)


def _inner(node: Node) -> Node | None:
    """The next node on the way from a function to its name."""
    if node.type in _WRAPPERS:
        return node.named_children[0] if node.named_children else None
    if node.type == "function_declarator" and node.has_error:
        # `API number_t name(…)`: with a macro unknown, the type is taken for the name and the
        # name for an error behind it.
        for child in node.children[1:2]:
            if child.is_error and child.named_children:
                return child.named_children[-1]
    return node.child_by_field_name("name") or node.child_by_field_name("declarator")


def _text(node: Node, source: bytes) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")
