"""Rewriting a function into another text that does the same.

Rules of one expression, one statement and one block (see the modules here) are applied by
chance; then locals and the function itself get other names. Every rule keeps results,
effects, their order, and the type of any exception. Not kept: the signature's names, the
wording of messages that Python itself makes, how long a value lives, and operators that
treat `x += 1` unlike `x = x + 1` or answer `1 > x` unlike `x < 1`.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from codewren.demo.names import (
    FunctionNode,
    identifiers,
    is_opaque,
    nodes,
    rename,
    renameable,
    usable,
)
from codewren.demo.rewrites.context import Context
from codewren.demo.rewrites.engine import ALL_RULES, apply_rules

__all__ = ["ALL_RULES", "parse_function", "retitled", "rewrite"]

SPARE_TITLE = "function"


def parse_function(text: str) -> FunctionNode:
    """The one function that `text` holds."""
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    return function


def retitled(text: str, titles: Iterable[str]) -> str:
    """`text` with the function named by the first of `titles` that is free there."""
    head, rest = text.split("(", 1)
    name = head.split()[-1]
    words = set(re.findall(r"\w+", rest))
    if name not in words:  # no recursion, thus no need to parse
        return f"{head.removesuffix(name)}{next(_free(titles, words, SPARE_TITLE))}({rest}"
    function = parse_function(text)
    _rename_all(function, nodes(function), [], [], titles)
    return ast.unparse(function)


def rewrite(
    text: str,
    rng: Random,
    *,
    titles: Iterable[str],
    palette: Sequence[str],
    strength: float = 0.7,
    keep: float = 0.0,
) -> str:
    """Another text of the same function.

    `strength` is the chance of a rewrite at each place where one fits, `keep` that of a
    local keeping its name. New names come from `palette`, in its order.
    """
    function = parse_function(text)
    parts = nodes(function)
    names = [name for name in renameable(function, parts, text) if rng.random() >= keep]
    if not is_opaque(parts):
        context = Context.of(function, rng, strength)
        apply_rules(function, context)
        names += context.invented
        parts = nodes(function)
    rng.shuffle(names)
    _rename_all(function, parts, names, palette, titles)
    return ast.unparse(function)


def _rename_all(
    function: FunctionNode,
    parts: Sequence[ast.AST],
    names: Sequence[str],
    palette: Sequence[str],
    titles: Iterable[str],
) -> None:
    taken = set(identifiers(parts)) - set(names)
    mapping = dict(zip([function.name], _free(titles, taken, SPARE_TITLE), strict=False))
    mapping |= zip(names, _free(palette, taken, "value"), strict=False)
    rename(parts, mapping)


def _free(wanted: Iterable[str], taken: set[str], spare: str) -> Iterator[str]:
    """Those of `wanted` that are not taken, each once; then numbered spares without end."""
    for name in itertools.chain(wanted, (f"{spare}{number}" for number in itertools.count(1))):
        if usable(name) and name not in taken:
            taken.add(name)
            yield name
