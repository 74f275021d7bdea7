"""Find the functions of one source file."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from codewren.source.languages import (
    FUNCTION_VALUES,
    GRAMMARS,
    Grammar,
    Language,
    Named,
    grammar_of,
)
from codewren_runtime.errors import DataError

if TYPE_CHECKING:
    from tree_sitter import Node, Point, Tree

__all__ = ["Function", "find_functions", "parse"]

CPU_SECONDS = 10.0
# The parser remembers what is open: for a million brackets it took 4 GB.
MAX_DEPTH = 10_000
_BLOCK = 1 << 16
_NODES_PER_LOOK = 1_000

# What stays of a name where a macro that the parser cannot know breaks a body in two.
_NO_NAMES = frozenset({"if", "else", "for", "while", "switch", "do", "return", "catch"})


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its name, its text, and where it lies.

    Lines are 1-based and inclusive, bytes 0-based and half-open: `source[start_byte:end_byte]`
    holds its bytes. `text` is their decoding (bytes that are no UTF-8 replaced), without the
    indentation that all its lines after the first share with the line that it begins on, so that
    a method reads as a function does; its line i is the file's line `start_line + i`.
    `body_line` is the line on which the body begins.
    """

    name: str
    text: str
    start_line: int
    end_line: int
    start_byte: int
    end_byte: int
    body_line: int


def find_functions(
    source: bytes, language: Language, *, cpu_seconds: float = CPU_SECONDS
) -> list[Function]:
    """The functions of a file, in the order of their beginnings.

    A function is one with a name and a body: functions and methods, and in scripts a function
    that is assigned to a name. Lambdas and other nameless functions are none, but functions
    inside those are found. A function within a function belongs to the outer one. Decorators,
    attributes and template heads are no part of it. C with syntax errors is read as C++ if that
    leaves fewer. What surrounds a syntax error is still found.

    Raises DataError where brackets are nested deeper than `MAX_DEPTH`, or the parser takes more
    than `cpu_seconds` of CPU time, as some hostile inputs make it, and MissingExtraError without
    the extra `scan`.
    """
    deadline = time.thread_time() + cpu_seconds
    tree = parse(source, language, deadline)
    if language is Language.C and tree.root_node.has_error:
        other = parse(source, Language.CPP, deadline)
        if _errors(other, deadline) < _errors(tree, deadline):
            tree, language = other, Language.CPP
    grammar = GRAMMARS[language]
    found = []
    for node, named in _outermost(tree, grammar, deadline):
        if (function := _function(source, node, named)) is not None:
            found.append(function)
    return found


def _depth(source: bytes) -> int:
    """How many brackets are open at most, those in texts and comments counted too."""
    steps = np.zeros(256, np.int8)
    steps[list(b"([{")], steps[list(b")]}")] = 1, -1
    return int(np.cumsum(steps[np.frombuffer(source, np.uint8)], dtype=np.int32).max(initial=0))


def parse(source: bytes, language: Language, deadline: float) -> Tree:
    """The syntax tree; DataError when this thread's CPU clock passes `deadline` (seconds).

    Or when brackets are nested deeper than `MAX_DEPTH`.
    """
    if _depth(source) > MAX_DEPTH:
        raise DataError("brackets are nested too deep; leave the file out")
    grammar = grammar_of(language)
    from tree_sitter import Parser

    def read(offset: int, _: Point) -> bytes:
        return source[offset : offset + _BLOCK]

    def late(_offset: int, _has_error: bool) -> bool:  # noqa: FBT001
        return time.thread_time() > deadline

    try:
        return Parser(grammar).parse(read, progress_callback=late)
    except ValueError as error:
        raise _too_long() from error


def _outermost(tree: Tree, grammar: Grammar, deadline: float) -> Iterator[tuple[Node, Named]]:
    """Function nodes that lie in no other, without recursion."""
    for node in _walk(tree, grammar, deadline):
        named = grammar.functions.get(node.type)
        if named is not None and _body(node, named) is not None:
            yield node, named


def _walk(tree: Tree, grammar: Grammar, deadline: float) -> Iterator[Node]:
    """Nodes in the order of their beginnings, without what lies inside functions and tables."""
    cursor = tree.walk()
    for count in range(1 << 62):
        if count % _NODES_PER_LOOK == 0 and time.thread_time() > deadline:
            raise _too_long()
        node = cursor.node
        assert node is not None
        yield node
        named = grammar.functions.get(node.type)
        inside = node.type in grammar.opaque or (named and _body(node, named) is not None)
        if not inside and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _errors(tree: Tree, deadline: float) -> int:
    """How many places of the file could not be parsed."""
    cursor, errors = tree.walk(), 0
    while True:
        node = cursor.node
        assert node is not None
        errors += node.is_error or node.is_missing
        if time.thread_time() > deadline:
            raise _too_long()
        if node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return errors


def _body(node: Node, named: Named) -> Node | None:
    """The body of a function node with a name; None if it is none."""
    if node.child_by_field_name(named.name) is None:
        return None
    if named.value is None:
        return node.child_by_field_name("body")
    value = node.child_by_field_name(named.value)
    if value is None or value.type not in FUNCTION_VALUES:
        return None
    return value.child_by_field_name("body")


def _function(source: bytes, node: Node, named: Named) -> Function | None:
    name, body = _name(source, node, named), _body(node, named)
    if not name or name in _NO_NAMES or body is None:
        return None
    start, end = node.start_byte, node.end_byte
    line_start = source.rfind(b"\n", 0, start) + 1
    before = source[line_start:start]
    indentation = before[: len(before) - len(before.lstrip(b" \t"))].decode("ascii")
    text = _dedented(source[start:end].decode("utf-8", "replace"), indentation)
    first = node.start_point.row + 1
    return Function(
        name, text, first, first + text.count("\n"), start, end, body.start_point.row + 1
    )


def _dedented(text: str, indentation: str) -> str:
    """Take `indentation` off the lines after the first, if each has it or is blank."""
    if not indentation:
        return text
    first, *rest = text.split("\n")
    if not all(line.startswith(indentation) or not line.strip() for line in rest):
        return text
    return "\n".join([first, *(line.removeprefix(indentation) for line in rest)])


def _name(source: bytes, node: Node, named: Named) -> str:
    """The name as written, on one line; for C and C++ the innermost declarator's."""
    head = node.child_by_field_name(named.name)
    assert head is not None
    found = head
    declares = named.name != "declarator"
    while (inner := _inner(found)) is not None:
        declares = declares or found.type == "function_declarator"
        found = inner
    if found.type == "operator_cast":  # operator bool() const
        arguments = found.child_by_field_name("declarator")
        start, end = found.start_byte, arguments.start_byte if arguments else found.end_byte
    elif declares:
        start, end = found.start_byte, found.end_byte
    else:  # TEST(list) {…}, where TEST is a macro: the whole head
        start, end = node.start_byte, head.end_byte
    return re.sub(rb"\s+", b" ", source[start:end]).strip().decode("utf-8", "replace")


def _inner(declarator: Node) -> Node | None:
    """What a pointer, reference, function or parenthesis is put around; None for a name."""
    if declarator.type == "operator_cast":
        return None
    inner = declarator.child_by_field_name("declarator")
    if inner is None and declarator.type in ("parenthesized_declarator", "reference_declarator"):
        named = declarator.named_children
        inner = named[-1] if named else None
    if declarator.type == "function_declarator" and declarator.has_error:
        # `API number_t name(…)`: behind a macro that the parser cannot know, the type is taken
        # for the name, and the name for an error that follows it.
        for child in declarator.children[1:2]:
            if child.is_error and child.named_children:
                return child.named_children[-1]
    return inner


def _too_long() -> DataError:
    return DataError("the parser takes too long; leave the file out")
