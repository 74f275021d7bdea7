"""What the words of a Java method are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codewren.rewriting.syntax import FREE, PINNED, USE, Role, Step

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["OPAQUE", "classify"]

OPAQUE = frozenset({"annotation", "marker_annotation", "scoped_identifier"})

_FREE = frozenset(
    {
        ("method_invocation", "name"), ("field_access", "field"), ("method_declaration", "name"),
        ("constructor_declaration", "name"), ("class_declaration", "name"),
        ("element_value_pair", "key"), ("labeled_statement", None), ("break_statement", None),
        ("continue_statement", None),
    }
)  # fmt: skip
_PINNING = frozenset({"switch_label", "instanceof_expression", "type_pattern", "record_pattern",
                      "record_pattern_component", "enum_constant"})  # fmt: skip
_SCOPES = frozenset(
    {"block", "constructor_body", "for_statement", "switch_block_statement_group", "switch_block"}
)
_CALLABLE = frozenset({"method_declaration", "constructor_declaration", "lambda_expression"})
_CLASSES = frozenset({"class_body", "enum_body", "interface_body", "annotation_type_body"})


def classify(path: Sequence[Step]) -> Role:
    """The role of the word that `path` leads to."""
    leaf, parent = path[-1], path[-2]
    if leaf.type != "identifier":
        return PINNED
    if (parent.type, leaf.field) in _FREE:
        return FREE
    if parent.type == "method_reference" and parent.node.children[0] != leaf.node:
        return FREE
    if _is_inherited(path) or (parent.type in _PINNING and leaf.field != "left"):
        return PINNED
    end = _declaration(path)
    if end is None:
        return USE
    start = leaf.node.end_byte
    if parent.type == "enhanced_for_statement":  # not what is gone through
        start = _body(parent.node).start_byte
    return Role("declares", (start, end))


def _declaration(path: Sequence[Step]) -> int | None:
    """Where the scope of the variable that the leaf declares ends; None if it declares none."""
    leaf, parent, above = path[-1], path[-2], path[-3]
    end = None
    match (above.type, parent.type, leaf.field):
        case ("spread_parameter", "variable_declarator", "name"):
            end = _end(path[:-3], _CALLABLE)
        case ("local_variable_declaration", "variable_declarator", "name"):
            end = _end(path[:-3], _SCOPES)
        case (_, "formal_parameter", "name"):
            end = _end(path[:-2], _CALLABLE)
        case (_, "inferred_parameters", _) | (_, "lambda_expression", "parameters"):
            end = _end(path[:-1], frozenset({"lambda_expression"}))
        case (_, "catch_formal_parameter", "name"):
            end = _end(path[:-1], frozenset({"catch_clause"}))
        case (_, "enhanced_for_statement", "name"):
            end = parent.node.end_byte
        case (_, "resource", "name"):
            end = _body(path[-4].node).end_byte
    return end  # None: a use, or a field, whose use anywhere is no local's


def _body(node: Node) -> Node:
    return node.child_by_field_name("body") or node


def _end(path: Sequence[Step], types: frozenset[str]) -> int | None:
    return next((step.node.end_byte for step in reversed(path) if step.type in types), None)


def _is_inherited(path: Sequence[Step]) -> bool:
    """Whether a name stands in a class within a method, where it may be that class's field."""
    bodies = [at for at, step in enumerate(path) if step.type in _CLASSES]
    return bool(bodies) and any(step.type in _SCOPES for step in path[: bodies[-1]])
