"""Which names of a Python text may be renamed, as `ast` and `symtable` have it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence

from codewren.demo.names import FunctionNode, nodes, rename, renameable
from codewren.rewriting.syntax import Step

__all__ = ["is_variable", "local_names", "same_but_for_names"]


def local_names(text: str) -> list[tuple[FunctionNode, list[str]]]:
    """The functions at the top of a text, each with its local names; none if it is no Python 3.

    A name that a call anywhere in the text gives as a keyword is an interface.
    """
    tree = _parsed(text)
    return [] if tree is None else _local_names(tree, text)


def _local_names(tree: ast.Module, text: str) -> list[tuple[FunctionNode, list[str]]]:
    keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    found = []
    for function in tree.body:
        if isinstance(function, FunctionNode):
            segment = ast.get_source_segment(text, function) or ""
            names = renameable(function, nodes(function), segment)
            shown = _shown(function)
            found.append((function, [n for n in names if n not in keywords and n not in shown]))
    return found


def _shown(function: FunctionNode) -> set[str]:
    """Names in f-strings, some of which show their names: f"{x=}"."""
    strings = (node for node in ast.walk(function) if isinstance(node, ast.JoinedStr))
    return {n.id for string in strings for n in ast.walk(string) if isinstance(n, ast.Name)}


def is_variable(path: Sequence[Step]) -> bool:
    """Whether the identifier that `path` leads to is no attribute and no keyword of a call."""
    leaf, parent = path[-1], path[-2]
    if leaf.type != "identifier":
        return False
    return (parent.type, leaf.field) not in {
        ("attribute", "attribute"),
        ("keyword_argument", "name"),
    }


def same_but_for_names(before: str, after: str, mapping: Mapping[str, str]) -> bool:
    """Whether `after` is `before` with its local names renamed, as Python itself reads both."""
    old, new = _parsed(before), _parsed(after)
    if old is None or new is None:
        return False
    for function, names in _local_names(old, before):
        rename(nodes(function), {name: mapping[name] for name in names if name in mapping})
    return ast.dump(old) == ast.dump(new)


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a source's own SyntaxWarnings are not the caller's
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
