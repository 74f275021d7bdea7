"""What a function does, told without its local names: the tokens that renaming leaves alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

__all__ = ["traits"]

_SILENT = frozenset({ast.arguments, ast.arg, ast.Expr, ast.alias})


def traits(parts: Sequence[ast.AST]) -> Iterator[str]:
    """Attributes, global names, keywords, constants, and kinds of node, one string each."""
    bound = set(_bound(parts))
    for node in parts:
        if isinstance(node, ast.Name):
            yield "local" if node.id in bound else "=" + node.id
        elif isinstance(node, ast.Attribute):
            yield "." + node.attr
        elif isinstance(node, ast.Constant):
            yield "#" + repr(node.value)
        elif isinstance(node, ast.keyword):
            yield f"{node.arg}="
        elif type(node) not in _SILENT:
            yield type(node).__name__


def _bound(parts: Sequence[ast.AST]) -> Iterator[str]:
    for node in parts:
        if isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
