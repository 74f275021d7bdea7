"""A syntax tree as its leaves, each with the way to it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codewren.source import Language
from codewren.source.functions import parse
from codewren_runtime.errors import DataError

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

__all__ = [
    "COMMENTS", "FREE", "PINNED", "USE", "WORD", "Classify", "Edit", "Role", "Span", "Step",
    "edited", "inside", "leaves", "text_of", "tree_of",
]  # fmt: skip

CPU_SECONDS = 2.0
WORD = re.compile(r"[^\W\d]\w*")
COMMENTS = frozenset({"comment", "line_comment", "block_comment"})

Span = tuple[int, int]  # bytes, half-open
Edit = tuple[int, int, bytes]  # a span, and what takes its place


@dataclass(frozen=True, slots=True)
class Step:
    """A node on the way to a leaf, and the field of its parent that it fills."""

    node: Node
    field: str | None

    @property
    def type(self) -> str:
        """The node's type."""
        return self.node.type


@dataclass(frozen=True, slots=True)
class Role:
    """What a word of the text is; `scope` where it declares a local variable, and for how far."""

    kind: str
    scope: Span | None = None


USE = Role("use")  # reads or writes a variable, local or not
FREE = Role("free")  # in another name space: a field, a label, a method
PINNED = Role("pinned")  # no variable of this name may be renamed

Classify = Callable[[Sequence[Step]], Role]


def tree_of(source: bytes, language: Language) -> Tree | None:
    """The syntax tree; None where a part could not be parsed, or takes seconds."""
    try:
        tree = parse(source, language, time.thread_time() + CPU_SECONDS)
    except DataError:
        return None
    return None if tree.root_node.has_error else tree


def leaves(tree: Tree, opaque: frozenset[str] = frozenset()) -> Iterator[list[Step]]:
    """The way to each leaf in the order of the text; the list is reused.

    Nodes of the types `opaque` count as leaves.
    """
    cursor = tree.walk()
    assert cursor.node is not None
    path = [Step(cursor.node, None)]
    while True:
        if path[-1].type not in opaque and cursor.goto_first_child():
            path.append(Step(cursor.node, cursor.field_name))
            continue
        yield path
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return
            path.pop()
        path[-1] = Step(cursor.node, cursor.field_name)


def inside(node: Node, closed: frozenset[str] = frozenset()) -> Iterator[Node]:
    """The node and all that it holds in the order of the text; of types `closed` no children."""
    stack = [node]
    while stack:
        at = stack.pop()
        yield at
        if at.type not in closed:
            stack += reversed(at.children)


def text_of(node: Node) -> str:
    """The node's text."""
    return (node.text or b"").decode("utf-8", "replace")


def edited(source: bytes, edits: Iterable[Edit]) -> bytes:
    """The source with spans replaced; they must not overlap."""
    parts, at = [], 0
    for start, end, new in sorted(edits):
        parts += [source[at:start], new]
        at = end
    return b"".join([*parts, source[at:]])
