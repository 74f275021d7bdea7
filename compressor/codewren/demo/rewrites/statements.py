"""Rewrites of assignments, returns, `with` and `for` headers, and the order of statements."""

from __future__ import annotations

import ast
import itertools

from codewren.demo.names import nodes
from codewren.demo.rewrites.context import Context, SequenceRule, StatementRule, load

__all__ = ["SEQUENCE_RULES", "STATEMENT_RULES"]


def plain_assignment(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """`x += 1` becomes `x = x + 1`; a number only, as lists and arrays add in place."""
    match node:
        case ast.AugAssign(target=ast.Name(id=name) as to, op=op, value=ast.Constant(value=value)):
            if isinstance(value, int | float):
                return [ast.Assign([to], ast.BinOp(load(name), op, node.value), lineno=0)]
    return None


def augmented_assignment(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """The way back: `x = x + 1` becomes `x += 1`."""
    match node:
        case ast.Assign(
            targets=[ast.Name(id=name) as to],
            value=ast.BinOp(left=ast.Name(id=same), op=op, right=ast.Constant(value=value) as step),
        ) if name == same and isinstance(value, int | float):
            return [ast.AugAssign(to, op, step)]
    return None


def name_value(node: ast.stmt, context: Context) -> list[ast.stmt] | None:
    """`return e`, `a.b = e` and `for x in e` first give `e` a name: it comes first anyway."""
    value = _first_evaluated(node)
    if value is None or isinstance(value, ast.Name | ast.Constant):
        return None
    name = context.fresh()
    keep = ast.Assign([ast.Name(name, ast.Store())], value, lineno=0)
    match node:
        case ast.For(target=target, body=body, orelse=orelse):
            return [keep, ast.For(target, load(name), body, orelse, lineno=0)]
        case ast.Assign(targets=targets):
            return [keep, ast.Assign(targets, load(name), lineno=0)]
    return [keep, ast.Return(load(name))]


def _first_evaluated(node: ast.stmt) -> ast.expr | None:
    match node:
        case ast.Return(value=value):
            return value
        case ast.For(iter=value):
            return value
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()], value=value):
            return value
    return None


def nest_with(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """`with a, b:` becomes `with a:` around `with b:`, and back."""
    match node:
        case ast.With(items=[first, *rest], body=body) if rest:
            return [ast.With([first], [ast.With(rest, body, lineno=0)], lineno=0)]
        case ast.With(items=outer, body=[ast.With(items=inner, body=body)]):
            return [ast.With([*outer, *inner], body, lineno=0)]
    return None


def split_tuple(node: ast.stmt, context: Context) -> list[ast.stmt] | None:
    """`a, b = 1, 2` becomes two assignments where the values are pure."""
    match node:
        case ast.Assign(
            targets=[ast.Tuple(elts=[ast.Name(id=one) as a, ast.Name(id=two) as b])],
            value=ast.Tuple(elts=[x, y]),
        ) if one != two and _is_pure(x, context) and _is_pure(y, context):
            if one not in _reads(y):
                return [ast.Assign([a], x, lineno=0), ast.Assign([b], y, lineno=0)]
    return None


def _is_pure(value: ast.expr, context: Context) -> bool:
    """Can it neither fail nor have an effect, nor be seen to come earlier or later?"""
    match value:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name in context.sure
        case ast.List(elts=elts) | ast.Tuple(elts=elts):
            return all(_is_pure(element, context) for element in elts)
        case ast.Dict(keys=[]):
            return True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float())):
            return True
    return False


def _reads(value: ast.expr) -> set[str]:
    return {node.id for node in nodes(value) if isinstance(node, ast.Name)}


def swap_independent(body: list[ast.stmt], context: Context) -> list[ast.stmt] | None:
    """Two neighbouring assignments of pure values to different names change places."""
    for at, (first, second) in enumerate(itertools.pairwise(body)):
        if _are_independent(first, second, context):
            return [*body[:at], second, first, *body[at + 2 :]]
    return None


def join_tuple(body: list[ast.stmt], context: Context) -> list[ast.stmt] | None:
    """Two such assignments become one: `a, b = 1, 2`."""
    for at, (first, second) in enumerate(itertools.pairwise(body)):
        match first, second:
            case ast.Assign(targets=[a], value=x), ast.Assign(targets=[b], value=y):
                if _are_independent(first, second, context):
                    to = ast.Tuple([a, b], ast.Store())
                    both = ast.Assign([to], ast.Tuple([x, y], ast.Load()), lineno=0)
                    return [*body[:at], both, *body[at + 2 :]]
    return None


def _are_independent(first: ast.stmt, second: ast.stmt, context: Context) -> bool:
    match first, second:
        case (
            ast.Assign(targets=[ast.Name(id=one)], value=x),
            ast.Assign(targets=[ast.Name(id=two)], value=y),
        ):
            apart = one != two and one not in _reads(y) and two not in _reads(x)
            return apart and _is_pure(x, context) and _is_pure(y, context)
    return False


def return_directly(body: list[ast.stmt], context: Context) -> list[ast.stmt] | None:
    """`x = e` and `return x` become `return e` where nothing else can see `x`."""
    match body:
        case [
            *head,
            ast.Assign(targets=[ast.Name(id=name)], value=value),
            ast.Return(ast.Name(id=same)),
        ]:
            if name == same and context.simple:
                return [*head, ast.Return(value)]
    return None


STATEMENT_RULES: dict[type[ast.AST], tuple[StatementRule, ...]] = {
    ast.AugAssign: (plain_assignment,),
    ast.Assign: (augmented_assignment, name_value, split_tuple),
    ast.Return: (name_value,),
    ast.For: (name_value,),
    ast.With: (nest_with,),
}

SEQUENCE_RULES: tuple[SequenceRule, ...] = (swap_independent, join_tuple, return_directly)
