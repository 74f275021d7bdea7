"""Rewrites of `if`, ternaries and returned tests."""

from __future__ import annotations

import ast

from codewren.demo.rewrites.context import (
    Context,
    SequenceRule,
    StatementRule,
    exits,
    load,
    negated,
)

__all__ = ["BRANCH_RULES", "BRANCH_SEQUENCE_RULES"]


def negate_branch(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """`if a: X else: Y` becomes `if not a: Y else: X`."""
    match node:
        case ast.If(test=test, body=body, orelse=[_, *_] as orelse):
            return [ast.If(negated(test), orelse, body)]
    return None


def nest_conjunction(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """`if a and b: X` becomes `if a:` around `if b: X`, and back."""
    match node:
        case ast.If(test=ast.BoolOp(op=ast.And(), values=[first, *rest]), body=body, orelse=[]):
            test = rest[0] if len(rest) == 1 else ast.BoolOp(ast.And(), rest)
            return [ast.If(first, [ast.If(test, body, [])], [])]
        case ast.If(test=outer, body=[ast.If(test=inner, body=body, orelse=[])], orelse=[]):
            return [ast.If(ast.BoolOp(ast.And(), [outer, inner]), body, [])]
    return None


def name_test(node: ast.stmt, context: Context) -> list[ast.stmt] | None:
    """`if <test>:` becomes `t = <test>` and `if t:`."""
    if not isinstance(node, ast.If) or isinstance(node.test, ast.Name | ast.Constant):
        return None
    name = context.fresh()
    keep = ast.Assign([ast.Name(name, ast.Store())], node.test, lineno=0)
    return [keep, ast.If(load(name), node.body, node.orelse)]


def ternary_to_if(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """`x = a if c else b`, or `return`, becomes an `if` statement."""
    match node:
        case ast.Return(value=ast.IfExp(test=test, body=body, orelse=orelse)):
            return [ast.If(test, [ast.Return(body)], []), ast.Return(orelse)]
        case ast.Assign(targets=[ast.Name() as to], value=ast.IfExp() as value):
            yes = ast.Assign([to], value.body, lineno=0)
            no = ast.Assign([to], value.orelse, lineno=0)
            return [ast.If(value.test, [yes], [no])]
    return None


def if_to_ternary(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """The way back: two returns, or two assignments to one name, become a ternary."""
    match node:
        case ast.If(
            test=test,
            body=[ast.Return(value=ast.expr() as yes)],
            orelse=[ast.Return(value=ast.expr() as no)],
        ):
            return [ast.Return(ast.IfExp(test, yes, no))]
        case ast.If(
            test=test,
            body=[ast.Assign(targets=[ast.Name(id=one) as to], value=yes)],
            orelse=[ast.Assign(targets=[ast.Name(id=two)], value=no)],
        ) if one == two:
            return [ast.Assign([to], ast.IfExp(test, yes, no), lineno=0)]
    return None


def spell_out_bool(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """`return a in b` becomes `if a in b: return True` and `return False`."""
    if not isinstance(node, ast.Return) or node.value is None or not _is_bool(node.value):
        return None
    yes, no = ast.Return(ast.Constant(True)), ast.Return(ast.Constant(False))
    return [ast.If(node.value, [yes], []), no]


def _is_bool(test: ast.expr) -> bool:
    match test:
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.In | ast.NotIn | ast.Is | ast.IsNot) for op in ops)
    return False


def fold_bool(body: list[ast.stmt], _: Context) -> list[ast.stmt] | None:
    """`if c: return True` and `return False` become `return not not c`, or plain `c` if a bool."""
    match body:
        case [
            *head,
            ast.If(test=test, body=[ast.Return(value=ast.Constant(bool(yes)))], orelse=[]),
            ast.Return(value=ast.Constant(bool(no))),
        ] if yes is not no:
            opposite = ast.UnaryOp(ast.Not(), test)
            if not yes:
                return [*head, ast.Return(opposite)]
            value = test if _is_bool(test) else ast.UnaryOp(ast.Not(), opposite)
            return [*head, ast.Return(value)]
    return None


def rest_to_else(body: list[ast.stmt], context: Context) -> list[ast.stmt] | None:
    """What follows `if c: return x` moves into its `else`."""
    places = [
        at
        for at, node in enumerate(body[:-1])
        if isinstance(node, ast.If) and not node.orelse and exits(node.body)
    ]
    if not places:
        return None
    at = context.rng.choice(places)
    chosen = body[at]
    assert isinstance(chosen, ast.If)
    return [*body[:at], ast.If(chosen.test, chosen.body, body[at + 1 :])]


def else_to_rest(body: list[ast.stmt], _: Context) -> list[ast.stmt] | None:
    """The way back: an `else` after a branch that leaves is not needed."""
    for at, node in enumerate(body):
        if isinstance(node, ast.If) and node.orelse and exits(node.body):
            return [*body[:at], ast.If(node.test, node.body, []), *node.orelse, *body[at + 1 :]]
    return None


BRANCH_RULES: dict[type[ast.AST], tuple[StatementRule, ...]] = {
    ast.If: (negate_branch, nest_conjunction, name_test, if_to_ternary),
    ast.Return: (ternary_to_if, spell_out_bool),
    ast.Assign: (ternary_to_if,),
}

BRANCH_SEQUENCE_RULES: tuple[SequenceRule, ...] = (fold_bool, rest_to_else, else_to_rest)
