"""Whether what follows a statement of Java can be reached: what cannot is an error there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codewren.rewriting.syntax import COMMENTS, inside, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["surely_completes"]

_PLAIN = frozenset(
    {
        ";", "expression_statement", "local_variable_declaration", "enhanced_for_statement",
        "assert_statement", "class_declaration",
    }
)  # fmt: skip
_LOOPS = frozenset({"while_statement", "for_statement"})


def surely_completes(statement: Node) -> bool:
    """Whether a reachable statement of a valid text completes normally by Java's rules.

    No is the answer also where that would take more than a look at the last statements.
    """
    stack = [statement]
    while stack:
        node = stack.pop()
        if node.type in _PLAIN or (
            node.type in ("while_statement", "for_statement") and _ends(node)
        ):
            return True
        ways = _last_statements(node)
        if ways is None:
            return True
        stack += ways
    return False


def _last_statements(node: Node) -> list[Node] | None:
    """The statements of which one must complete for this to complete; None if it always does."""
    if node.type == "block":
        inner = [child for child in node.named_children if child.type not in COMMENTS]
        return inner[-1:] or None
    if node.type == "if_statement":
        ways = [node.child_by_field_name(field) for field in ("consequence", "alternative")]
        return None if ways[1] is None else [way for way in ways if way is not None]
    if node.type == "synchronized_statement":
        ways = [node.child_by_field_name("body")]
        return [way for way in ways if way is not None]
    if node.type in ("try_statement", "try_with_resources_statement"):
        return _attempts(node)
    return []


def _attempts(node: Node) -> list[Node]:
    """The blocks of a `try` and its `catch`; none where a `finally` has a say too."""
    clauses = [child for child in node.children if child.type == "catch_clause"]
    if any(child.type == "finally_clause" for child in node.children):
        return []
    blocks = [of.child_by_field_name("body") for of in (node, *clauses)]
    return [block for block in blocks if block is not None]


def _ends(loop: Node) -> bool:
    """Whether a loop's condition is no constant: it calls, or reads what the loop changes."""
    condition = loop.child_by_field_name("condition")
    if condition is None:
        return False
    parts = list(inside(condition))
    if any(part.type == "method_invocation" for part in parts):
        return True
    changed = {
        text_of(to)
        for node in inside(loop)
        if node.type in ("update_expression", "assignment_expression")
        and (to := node.child_by_field_name("left") or node.named_children[0]).type == "identifier"
    }
    return any(part.type == "identifier" and text_of(part) in changed for part in parts)
