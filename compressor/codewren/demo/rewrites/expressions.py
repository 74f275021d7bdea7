"""Rewrites of one expression into an equal one."""

from __future__ import annotations

import ast
import string

from codewren.demo.rewrites.context import Context, ExpressionRule, negated

__all__ = ["EXPRESSION_RULES"]

_MIRROR: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
    ast.Lt: ast.Gt,
    ast.Gt: ast.Lt,
    ast.LtE: ast.GtE,
    ast.GtE: ast.LtE,
    ast.Is: ast.Is,
    ast.IsNot: ast.IsNot,
}


def mirror_comparison(node: ast.expr, _: Context) -> ast.expr | None:
    """`x < 1` becomes `1 > x`: a constant's type declines and Python asks `x` all the same."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _MIRROR:
            if isinstance(left, ast.Constant) == isinstance(right, ast.Constant):
                return None
            return ast.Compare(right, [_MIRROR[type(op)]()], [left])
    return None


def move_negation(node: ast.expr, _: Context) -> ast.expr | None:
    """`x not in y` becomes `not x in y`, and back: by definition the same."""
    match node:
        case ast.Compare(ops=[ast.NotIn() | ast.IsNot()]):
            return ast.UnaryOp(ast.Not(), negated(node))
        case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(ops=[ast.In() | ast.Is()]) as inner):
            return negated(inner)
    return None


def de_morgan(node: ast.expr, _: Context) -> ast.expr | None:
    """`not (a or b)` becomes `not a and not b`: the same order, the same stop, a bool."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=ast.BoolOp(op=op, values=values)):
            other = ast.And() if isinstance(op, ast.Or) else ast.Or()
            return ast.BoolOp(other, [ast.UnaryOp(ast.Not(), value) for value in values])
    return None


def split_chain(node: ast.expr, _: Context) -> ast.expr | None:
    """`a < b < c` becomes `a < b and b < c` where reading `b` twice is free."""
    match node:
        case ast.Compare(
            left=left,
            ops=[first, second],
            comparators=[ast.Name() | ast.Constant() as middle, right],
        ):
            pair = ast.Compare(left, [first], [middle]), ast.Compare(middle, [second], [right])
            return ast.BoolOp(ast.And(), list(pair))
    return None


def swap_ternary(node: ast.expr, _: Context) -> ast.expr | None:
    """`a if c else b` becomes `b if not c else a`."""
    match node:
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return ast.IfExp(negated(test), orelse, body)
    return None


def membership_display(node: ast.expr, _: Context) -> ast.expr | None:
    """`x in (1, 2)` becomes `x in [1, 2]`, and back: both are searched the same way."""
    match node:
        case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[right]):
            if isinstance(right, ast.Tuple) and right.elts:
                return ast.Compare(left, [op], [ast.List(right.elts, ast.Load())])
            if isinstance(right, ast.List):
                return ast.Compare(left, [op], [ast.Tuple(right.elts, ast.Load())])
    return None


def f_string_to_format(node: ast.expr, _: Context) -> ast.expr | None:
    """`f'{x}: {y!r}'` becomes `'{}: {!r}'.format(x, y)`; names only, so that order is no matter."""
    if not isinstance(node, ast.JoinedStr):
        return None
    template, arguments = "", list[ast.expr]()
    for part in node.values:
        match part:
            case ast.Constant(value=str(text)):
                template += text.replace("{", "{{").replace("}", "}}")
            case ast.FormattedValue(value=ast.Name() as name, conversion=mark, format_spec=None):
                template += "{}" if mark == -1 else "{!" + chr(mark) + "}"
                arguments.append(name)
            case _:
                return None
    method = ast.Attribute(ast.Constant(template), "format", ast.Load())
    return ast.Call(method, arguments, [])


def format_to_f_string(node: ast.expr, _: Context) -> ast.expr | None:
    """The way back: `'{}: {}'.format(x, y)` becomes an f-string; plain fields and names only."""
    match node:
        case ast.Call(
            func=ast.Attribute(value=ast.Constant(value=str(template)), attr="format"),
            args=args,
            keywords=[],
        ) if args and all(isinstance(argument, ast.Name) for argument in args):
            return _f_string(template, list(args))
    return None


def _f_string(template: str, arguments: list[ast.expr]) -> ast.expr | None:
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError:
        return None
    if "\\" in repr(template) or any(name or spec for _, name, spec, _ in fields):
        return None
    holes = [mark for _, name, _, mark in fields if name is not None]
    if len(holes) != len(arguments) or not set(holes) <= {None, "r", "s", "a"}:
        return None
    parts: list[ast.expr] = []
    for text, name, _, mark in fields:
        if text:
            parts.append(ast.Constant(text))
        if name is not None:
            parts.append(ast.FormattedValue(arguments.pop(0), ord(mark) if mark else -1, None))
    return ast.JoinedStr(parts)


EXPRESSION_RULES: dict[type[ast.AST], tuple[ExpressionRule, ...]] = {
    ast.Compare: (mirror_comparison, move_negation, split_chain, membership_display),
    ast.UnaryOp: (de_morgan, move_negation),
    ast.IfExp: (swap_ternary,),
    ast.JoinedStr: (f_string_to_format,),
    ast.Call: (format_to_f_string,),
}
