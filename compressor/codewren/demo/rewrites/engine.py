"""Walks one function and applies the rules, each place at most once and by chance."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeVar

from codewren.demo.names import FunctionNode
from codewren.demo.rewrites.branches import BRANCH_RULES, BRANCH_SEQUENCE_RULES
from codewren.demo.rewrites.context import Context, SequenceRule, StatementRule
from codewren.demo.rewrites.expressions import EXPRESSION_RULES
from codewren.demo.rewrites.loops import LOOP_RULES
from codewren.demo.rewrites.statements import SEQUENCE_RULES, STATEMENT_RULES

__all__ = ["ALL_RULES", "apply_rules"]

_Node = TypeVar("_Node")
_Result = TypeVar("_Result")

_STATEMENTS: dict[type[ast.AST], tuple[StatementRule, ...]] = {
    kind: BRANCH_RULES.get(kind, ()) + STATEMENT_RULES.get(kind, ()) + LOOP_RULES.get(kind, ())
    for kind in {**BRANCH_RULES, **STATEMENT_RULES, **LOOP_RULES}
}
_SEQUENCES: tuple[SequenceRule, ...] = BRANCH_SEQUENCE_RULES + SEQUENCE_RULES

ALL_RULES = tuple(
    sorted(
        {
            rule.__name__
            for rules in (*EXPRESSION_RULES.values(), *_STATEMENTS.values(), _SEQUENCES)
            for rule in rules
        }
    )
)

# An f-string's inside is left alone (quotes within quotes), a pattern takes no calls,
# and what is outside the body (defaults, annotations) belongs to the caller's scope.
_LEFT_ALONE = (ast.JoinedStr, ast.pattern, ast.arguments, ast.ClassDef)
_OUTSIDE = frozenset({"annotation", "returns", "decorator_list"})


def apply_rules(function: FunctionNode, context: Context) -> None:
    """Rewrite the body in place; some nodes may end up in two places."""
    function.body = _block(function.body, context)


def _block(body: list[ast.stmt], context: Context) -> list[ast.stmt]:
    rewritten: list[ast.stmt] = []
    for node in body:
        _children(node, context)
        rewritten += _one_of(_STATEMENTS.get(type(node), ()), node, context) or [node]
    return _one_of(_SEQUENCES, rewritten, context) or rewritten


def _children(node: ast.AST, context: Context) -> None:
    if isinstance(node, _LEFT_ALONE):
        return
    for field, value in ast.iter_fields(node):
        if field in _OUTSIDE:
            continue
        if isinstance(value, ast.AST):
            setattr(node, field, _expression(value, context))
        elif isinstance(value, list) and value:
            if isinstance(value[0], ast.stmt):
                setattr(node, field, _block(value, context))
            else:
                value[:] = [_expression(item, context) for item in value]


def _expression(node: ast.AST, context: Context) -> ast.AST:
    if not isinstance(node, ast.AST):
        return node  # names in `global a, b`, and None for `**` in a dict display
    _children(node, context)
    if not isinstance(node, ast.expr):
        return node
    return _one_of(EXPRESSION_RULES.get(type(node), ()), node, context) or node


def _one_of(
    rules: tuple[Callable[[_Node, Context], _Result | None], ...], node: _Node, context: Context
) -> _Result | None:
    """The first of the shuffled rules that fits, if chance has it."""
    if not rules or not context.chance():
        return None
    for rule in context.rng.sample(rules, len(rules)):
        if (result := rule(node, context)) is not None:
            return result
    return None
