"""What a plain statement reads and writes, where that is all that it does.

Plain are declarations and assignments of local variables whose values are made of literals,
other such variables, and operators: no call, no memory, nothing that can fail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codewren.rewriting.scalars import NUMBER, plain_declarator
from codewren.rewriting.syntax import inside, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Effect", "effect_of", "literal_in_python"]

_LITERALS = frozenset(
    {
        "number_literal", "char_literal", "true", "false", "null", "decimal_integer_literal",
        "hex_integer_literal", "octal_integer_literal", "binary_integer_literal",
        "decimal_floating_point_literal", "hex_floating_point_literal", "character_literal",
    }
)  # fmt: skip
_OBJECTS = frozenset({"string_literal", "null_literal"})
_OPERATIONS = frozenset(
    {
        "binary_expression", "unary_expression", "parenthesized_expression",
        "conditional_expression", "ternary_expression",
    }
)  # fmt: skip
_PLAIN_TYPES = frozenset(
    {
        "primitive_type", "sized_type_specifier", "integral_type", "floating_point_type",
        "boolean_type",
    }
)  # fmt: skip
_DIVISIONS = frozenset({"/", "%", "/=", "%="})
_NOT_ZERO = re.compile(r"[1-9][0-9]*[uUlL]*")
_PYTHON = frozenset({"integer", "float", "true", "false", "none", "string"})


@dataclass(frozen=True, slots=True)
class Effect:
    """The local variables that a statement reads, and those that it writes or declares."""

    reads: frozenset[str]
    writes: frozenset[str]
    declares: bool

    def is_apart(self, other: Effect) -> bool:
        """Whether neither writes what the other reads or writes."""
        return not (self.writes & (other.reads | other.writes) or other.writes & self.reads)


def effect_of(statement: Node, kinds: Mapping[str, str]) -> Effect | None:
    """The effect of a plain statement of C or Java on variables of known kinds."""
    if statement.type == "expression_statement":
        parts = statement.named_children
        return _assignment(parts[0], kinds) if len(parts) == 1 else None
    if statement.type in ("declaration", "local_variable_declaration"):
        return _declaration(statement, kinds)
    return None


def _assignment(node: Node, kinds: Mapping[str, str]) -> Effect | None:
    if node.type == "update_expression":
        to, operator, value = next(iter(node.named_children), None), "+=", None
    elif node.type == "assignment_expression":
        to, value = (node.child_by_field_name(field) for field in ("left", "right"))
        operator = _operator(node)
    else:
        return None
    if to is None or to.type != "identifier" or (name := text_of(to)) not in kinds:
        return None
    if operator != "=" and (kinds[name] != NUMBER or not _divides_safely(node)):
        return None
    reads = set() if value is None else _reads(value, name, kinds)
    if reads is None:
        return None
    own = set() if operator == "=" else {name}
    return Effect(frozenset(reads | own), frozenset({name}), declares=False)


def _declaration(node: Node, kinds: Mapping[str, str]) -> Effect | None:
    """Declared variables count as written: what stands beside may mean another of the name."""
    reads: set[str] = set()
    writes: set[str] = set()
    for declarator in node.children_by_field_name("declarator"):
        name = declarator.child_by_field_name("name") or plain_declarator(declarator)[0]
        if name is None or text_of(name) not in kinds:
            return None
        writes.add(text_of(name))
        value = declarator.child_by_field_name("value")
        found = set() if value is None else _reads(value, text_of(name), kinds)
        if found is None:
            return None
        reads |= found
    return Effect(frozenset(reads), frozenset(writes), declares=True)


def _reads(value: Node, to: str, kinds: Mapping[str, str]) -> set[str] | None:
    """What a value to be held by `to` reads; None where making it may do more than that."""
    if value.type in _OBJECTS or value.type in _LITERALS:
        return set()
    if kinds[to] != NUMBER:
        return None  # Java checks casts and opens boxes where references are involved
    found: set[str] = set()
    stack = [value]
    while stack:
        node = stack.pop()
        if node.type == "identifier" and kinds.get(text_of(node)) == NUMBER:
            found.add(text_of(node))
        elif node.type in _OPERATIONS and _divides_safely(node):
            stack += node.named_children
        elif node.type == "cast_expression" and (inner := _plainly_cast(node)) is not None:
            stack.append(inner)
        elif node.type not in _LITERALS:
            return None
    return found


def _operator(node: Node) -> str:
    operator = node.child_by_field_name("operator")
    return "" if operator is None else operator.type


def _divides_safely(node: Node) -> bool:
    """Whether a node is no division, or one by a literal other than zero."""
    if _operator(node) not in _DIVISIONS:
        return True
    right = node.child_by_field_name("right")
    return right is not None and _NOT_ZERO.fullmatch(text_of(right)) is not None


def _plainly_cast(node: Node) -> Node | None:
    of = node.child_by_field_name("type")
    while of is not None and of.type == "type_descriptor" and len(of.children) == 1:
        of = of.children[0]
    plain = of is not None and of.type in _PLAIN_TYPES
    return node.child_by_field_name("value") if plain else None


def literal_in_python(statement: Node) -> Node | None:
    """The name in `name = literal`, a statement that runs no code of anybody's."""
    parts = statement.named_children
    if statement.type != "expression_statement" or len(parts) != 1:
        return None
    left, right = (parts[0].child_by_field_name(field) for field in ("left", "right"))
    if parts[0].type != "assignment" or len(parts[0].children) != 3 or left is None:
        return None
    return left if left.type == "identifier" and right is not None and _is_literal(right) else None


def _is_literal(value: Node) -> bool:
    """Whether a value is made of constants; as a key a list would fail, so dicts are empty."""
    for node in inside(value, closed=frozenset({"string"})):
        if node.type == "string":
            if any(child.type == "interpolation" for child in node.children):
                return False
        elif node.type == "unary_operator":
            number = node.child_by_field_name("argument")
            if number is None or number.type not in ("integer", "float"):
                return False
        elif node.type == "dictionary":
            if node.named_children:
                return False
        elif node.is_named and node.type not in _PYTHON | {"list", "tuple"}:
            return False
    return True
