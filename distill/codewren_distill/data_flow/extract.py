"""Where the value of each variable comes from: Guo et al. (ICLR 2021), section 3.

A walk through the syntax tree that knows, at each point, the occurrences that may have given
each variable its value. Branches are joined; loops are walked twice, so that what one round
leaves reaches the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from codewren_distill.data_flow import grammars as g

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Edge", "Flow", "data_flow"]

Kind = Literal["comes from", "computed from"]
State = dict[str, frozenset[int]]
Child = tuple[str, "Node"]  # the field's name, or "", and the node


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """The value of token `target` comes or is computed from that of token `source`."""

    target: int
    source: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Flow:
    """Tokens of a text without its comments, and the edges between those that are variables."""

    tokens: tuple[str, ...]
    edges: tuple[Edge, ...]

    @property
    def nodes(self) -> tuple[int, ...]:
        """The tokens that an edge touches, in order."""
        return tuple(sorted({end for edge in self.edges for end in (edge.target, edge.source)}))


def data_flow(text: str, language: str) -> Flow:
    """Tokens and data flow of a text; code that does not parse gives what can be made of it.

    A text nested deeper than Python's stack has no edges. Raises OptionError for a language
    that is not among `LANGUAGES`.
    """
    import tree_sitter

    source = text.encode("utf-8", "replace")
    root = tree_sitter.Parser(g.grammar_of(language)).parse(source).root_node
    leaves = [leaf for leaf in _leaves(root) if source[leaf.start_byte : leaf.end_byte].strip()]
    walk = _Walk({leaf.start_byte: at for at, leaf in enumerate(leaves)})
    try:
        walk.visit(root)
    except RecursionError:
        walk.edges.clear()
    tokens = (source[leaf.start_byte : leaf.end_byte].decode() for leaf in leaves)
    return Flow(tuple(tokens), tuple(sorted(walk.edges)))


def _leaves(root: Node) -> Iterator[Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        if "comment" in node.type:
            continue
        if node.child_count == 0 or _is_one_token(node):
            yield node
        else:
            stack.extend(reversed(node.children))


def _is_one_token(node: Node) -> bool:
    if node.type in g.STRINGS:
        return not any(child.type in g.INTERPOLATIONS for child in node.children)
    return node.type in g.VARIABLES


def _children(node: Node) -> list[Child]:
    return [(node.field_name_for_child(at) or "", c) for at, c in enumerate(node.children)]


class _Walk:
    """Visiting a node returns the tokens of the variables that are read in it."""

    def __init__(self, token_at: dict[int, int]) -> None:
        self.token_at = token_at
        self.state: State = {}
        self.edges: set[Edge] = set()

    def visit(self, node: Node, place: tuple[str, str] = ("", "")) -> list[int]:
        kind = node.type
        if kind in g.VARIABLES:
            return self._read(node, place)
        if node.child_count == 0 or kind == "type" or "comment" in kind:
            return []
        if place in g.FRESH or kind in g.PARAMETERS:
            return self._define(node, [])
        for kinds, handler in (
            (g.LOOPS, self._loop),
            (g.IFS, self._if),
            (g.DEFINES, self._assign),
            (g.UPDATES, self._update),
            (g.OPTIONAL, self._optional),
        ):
            if kind in kinds:
                return handler(node)
        children = _children(node)
        if kind in g.COMPREHENSIONS:  # the variables are made after their use
            children.sort(key=lambda child: child[0] == "body")
        return self._all(kind, children)

    def _update(self, node: Node) -> list[int]:
        return self._define(node, [], keeps=True)

    def _optional(self, node: Node) -> list[int]:
        before = dict(self.state)
        read = self._all(node.type, _children(node))
        self.state = _joined((before, self.state))
        return read

    def _all(self, kind: str, children: Iterable[Child]) -> list[int]:
        return [at for field, child in children for at in self.visit(child, (kind, field))]

    def _read(self, node: Node, place: tuple[str, str]) -> list[int]:
        if place in g.FRESH:
            return self._define(node, [])
        name, at = self._named(node)
        if at is None or place in g.NAMES or (place in g.CALLEES and name not in self.state):
            return []
        for source in self.state.setdefault(name, frozenset({at})) - {at}:
            self.edges.add(Edge(at, source, "comes from"))
        return [at]

    def _named(self, node: Node) -> tuple[str, int | None]:
        return (node.text or b"").decode("utf-8", "replace"), self.token_at.get(node.start_byte)

    def _assign(self, node: Node) -> list[int]:
        target_field, value_field = g.DEFINES[node.type]
        target = node.child_by_field_name(target_field)
        if target is None:
            return self._all(node.type, _children(node))
        value = node.child_by_field_name(value_field) if value_field else node.named_children[0]
        operator = node.child_by_field_name("operator")
        keeps = operator is not None and operator.type not in ("=", ":=")
        keeps = keeps or node.type in ("augmented_assignment", "operator_assignment")
        pairs = _paired(target, value)
        read = [self.visit(part) if part is not None else [] for _, part in pairs]
        for (part, _), sources in zip(pairs, read, strict=True):
            self._define(part, sources, keeps=keeps)
        return [at for sources in read for at in sources] + self._targets_of(target)

    def _targets_of(self, target: Node) -> list[int]:
        """`y = (x := 1)`: an assignment is read as well."""
        name, at = self._named(target)
        return [at] if at is not None and target.type in g.VARIABLES and name else []

    def _define(self, target: Node, sources: list[int], *, keeps: bool = False) -> list[int]:
        """Give a value to the variables of a target; `keeps` if their old value is in it."""
        if target.type in g.VARIABLES:
            name, at = self._named(target)
            if at is None:
                return []
            old = self.state.get(name, frozenset()) if keeps else frozenset()
            self.edges.update(Edge(at, s, "comes from") for s in old - {at})
            self.edges.update(Edge(at, s, "computed from") for s in sources if s != at)
            self.state[name] = frozenset({at})
            return [at]
        if target.type in g.DEFINES:  # a pattern or a parameter with a default
            return self._assign(target)
        if target.child_count == 0 or target.type == "type":
            return []
        children = [(f, c) for f, c in _children(target) if (target.type, f) not in g.NAMES]
        if target.type in g.PARTS:
            base, *rest = [child for child in children if child[1].is_named] or [("", target)]
            self._all(target.type, rest)
            return self._define(base[1], sources, keeps=True) if base[1] != target else []
        return [at for _, child in children for at in self._define(child, sources, keeps=keeps)]

    def _if(self, node: Node) -> list[int]:
        children = _children(node)
        read = self._all(node.type, [c for c in children if c[0] not in g.BRANCHES])
        base, ends = self.state, []
        for child in children:
            if child[0] in g.BRANCHES:
                self.state = dict(base)
                read += self._all(node.type, [child])
                ends.append(self.state)
        if not any(field == "alternative" for field, _ in children):
            ends.append(base)
        self.state = _joined(ends)
        return read

    def _loop(self, node: Node) -> list[int]:
        children = [
            part
            for child in _children(node)
            for part in (_children(child[1]) if child[1].type == "for_clause" else [child])
        ]
        read = self._all(node.type, [c for c in children if c[0] in g.INITIALISERS])
        before = dict(self.state)
        target, collection, rest = _each(node, children)
        rest.sort(key=lambda child: (child[0] in g.STEPS, child[0] == "alternative"))
        for _ in range(2):
            if target is not None and collection is not None:
                self._define(target, self.visit(collection))
            read += self._all(node.type, rest)
            self.state = _joined((before, self.state))
        return read


def _each(node: Node, children: list[Child]) -> tuple[Node | None, Node | None, list[Child]]:
    """A loop's variable and collection, where it has them, and what else is in each round."""
    rest = [child for child in children if child[0] not in g.INITIALISERS]
    if node.type == "foreach_statement":  # PHP's, whose grammar names no fields
        of_header = [child for child in rest if child[1].is_named and not child[0]][:2]
        parts: list[Node | None] = [child for _, child in of_header]
    else:
        parts = [node.child_by_field_name(f) for f in reversed(g.EACH.get(node.type, ()))]
    if len(parts) < 2 or None in parts:
        return None, None, rest
    return parts[1], parts[0], [child for child in rest if child[1] not in parts]


def _paired(target: Node, value: Node | None) -> list[tuple[Node, Node | None]]:
    """`a, b = b, a` one by one; else the target as a whole."""
    if value is not None and target.type in g.SEQUENCES and value.type in g.SEQUENCES:
        parts, values = target.named_children, value.named_children
        if len(parts) == len(values):
            return list(zip(parts, values, strict=True))
    return [(target, value)]


def _joined(states: Iterable[State]) -> State:
    joined: State = {}
    for state in states:
        for name, places in state.items():
            joined[name] = joined.get(name, frozenset()) | places
    return joined
