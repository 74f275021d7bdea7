"""Rewrites of comprehensions and loops."""

from __future__ import annotations

import ast

from codewren.demo.names import nodes
from codewren.demo.rewrites.context import Context, StatementRule, exits, load, negated

__all__ = ["LOOP_RULES"]

_INNER_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def comprehension_to_loop(node: ast.stmt, context: Context) -> list[ast.stmt] | None:
    """`x = [e for y in z]`, or `return`, becomes a loop that fills a fresh list or dict.

    The loop's names leak into the function, so nothing else there may use them.
    """
    if not isinstance(node, ast.Assign | ast.Return):
        return None
    value = node.value
    if not isinstance(value, ast.ListComp | ast.DictComp) or not _may_leak(value, context):
        return None
    name = context.fresh()
    inner = _filling(value, name)
    if inner is None:
        return None
    for generator in reversed(value.generators):
        for test in reversed(generator.ifs):
            inner = ast.If(test, [inner], [])
        inner = ast.For(generator.target, generator.iter, [inner], [], lineno=0)
    empty: ast.expr = (
        ast.List([], ast.Load()) if isinstance(value, ast.ListComp) else ast.Dict([], [])
    )
    start = ast.Assign([ast.Name(name, ast.Store())], empty, lineno=0)
    if isinstance(node, ast.Return):
        return [start, inner, ast.Return(load(name))]
    return [start, inner, ast.Assign(node.targets, load(name), lineno=0)]


def _filling(value: ast.ListComp | ast.DictComp, name: str) -> ast.stmt | None:
    if isinstance(value, ast.ListComp):
        append = ast.Attribute(load(name), "append", ast.Load())
        return ast.Expr(ast.Call(append, [value.elt], []))
    if not isinstance(value.key, ast.Name | ast.Constant):
        return None  # a comprehension evaluates the key first, an assignment the value
    place = ast.Subscript(load(name), value.key, ast.Store())
    return ast.Assign([place], value.value, lineno=0)


def _may_leak(value: ast.ListComp | ast.DictComp, context: Context) -> bool:
    if any(generator.is_async for generator in value.generators):
        return False
    if any(isinstance(n, _INNER_SCOPES) for n in nodes(value) if n is not value):
        return False
    own = {
        n.id
        for generator in value.generators
        for n in nodes(generator.target)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    first = {n.id for n in nodes(value.generators[0].iter) if isinstance(n, ast.Name)}
    return not own & first and own <= context.private


def loop_forever(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """`while c:` becomes `while True:` with `if not c: break` on top, and back."""
    match node:
        case ast.While(
            test=ast.Constant(value=True),
            body=[ast.If(test=test, body=[ast.Break()], orelse=[]), *rest],
            orelse=[],
        ) if rest:
            return [ast.While(negated(test), rest, [])]
        case ast.While(test=test, body=body, orelse=[]) if not isinstance(test, ast.Constant):
            check = ast.If(negated(test), [ast.Break()], [])
            return [ast.While(ast.Constant(True), [check, *body], [])]
    return None


def guard_with_continue(node: ast.stmt, _: Context) -> list[ast.stmt] | None:
    """A loop over `if c: X` becomes `if not c: continue` and `X`, and back."""
    match node:
        case ast.For(body=[ast.If(test=test, body=body, orelse=[])]) if not exits(body):
            guarded = [ast.If(negated(test), [ast.Continue()], []), *body]
        case ast.For(body=[ast.If(test=test, body=[ast.Continue()], orelse=[]), _, *_]):
            guarded = [ast.If(negated(test), node.body[1:], [])]
        case _:
            return None
    return [ast.For(node.target, node.iter, guarded, node.orelse, lineno=0)]


LOOP_RULES: dict[type[ast.AST], tuple[StatementRule, ...]] = {
    ast.Assign: (comprehension_to_loop,),
    ast.Return: (comprehension_to_loop,),
    ast.While: (loop_forever,),
    ast.For: (guard_with_continue,),
}
