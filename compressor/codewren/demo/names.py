"""Which names of a function may be renamed, and renaming them.

Renaming is uniform over the whole function, nested scopes included: as long as the
mapping stays one-to-one over all identifiers, every name keeps its binding, whatever
the scopes are. What is left is to know the names that other code can see.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["FunctionNode", "identifiers", "is_opaque", "nodes", "rename", "renameable", "usable"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_INTROSPECTION = frozenset({"locals", "vars", "dir", "eval", "exec", "globals"})
_BUILTINS = frozenset(dir(builtins))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NAME_FIELDS: dict[type[ast.AST], str] = {
    ast.Name: "id",
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}


def nodes(tree: ast.AST) -> list[ast.AST]:
    """All nodes but load/store marks, in a third of the time that `ast.walk` takes."""
    found = [tree]
    for node in found:  # grows as it goes
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST) and field != "ctx":
                found.append(value)
    return found


def usable(name: str) -> bool:
    """Can `name` stand for a local variable without hiding something a reader relies on?"""
    hidden = name in _BUILTINS or name in ("self", "cls") or name.startswith("__")
    return name.isidentifier() and not keyword.iskeyword(name) and not hidden


def is_opaque(parts: Iterable[ast.AST]) -> bool:
    """Does the function look at its own names, or hold a class, whose names are attributes?"""
    return any(
        node.id in _INTROSPECTION if isinstance(node, ast.Name) else isinstance(node, ast.ClassDef)
        for node in parts
    )


def identifiers(parts: Iterable[ast.AST]) -> Iterator[str]:
    """Every identifier bound or read in the nodes, each time it occurs; attributes are none."""
    for node in parts:
        field = _NAME_FIELDS.get(type(node))
        if field is not None:
            if (name := getattr(node, field)) is not None:
                yield name
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]


def renameable(function: FunctionNode, parts: Sequence[ast.AST], text: str) -> list[str]:
    """Sorted local names that nothing outside the function can see.

    `parts` are the function's nodes and `text` its source; the caller has both at hand.
    """
    if is_opaque(parts):
        return []
    bound: set[str] = set()
    fixed = {function.name, *_keyword_callable(function, parts)}
    for table in _tables(symtable.symtable(text, "<function>", "exec")):
        is_function = table.get_type() == "function"
        for symbol in table.get_symbols():
            seen = symbol.is_global() or symbol.is_nonlocal() or symbol.is_imported()
            (bound if is_function and not seen else fixed).add(symbol.get_name())
    return sorted(name for name in bound - fixed if usable(name))


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _keyword_callable(function: FunctionNode, parts: Sequence[ast.AST]) -> set[str]:
    """Parameters that a call within the function may name: their names are an interface."""
    keywords = {node.arg for node in parts if isinstance(node, ast.keyword)}
    if not keywords:
        return set()
    recursive = any(isinstance(node, ast.Name) and node.id == function.name for node in parts)
    found: set[str] = set()
    for node in parts:
        if isinstance(node, _SCOPES) and (node is not function or recursive):
            found |= {part.arg for part in nodes(node.args) if isinstance(part, ast.arg)}
    return found if None in keywords else {name for name in found if name in keywords}


def rename(parts: Iterable[ast.AST], mapping: Mapping[str, str]) -> None:
    """Rename in place; `mapping` must be one-to-one over the identifiers of `parts`."""
    for node in {id(part): part for part in parts}.values():  # a rewrite may have shared some
        field = _NAME_FIELDS.get(type(node))
        if field is not None:
            name = getattr(node, field)
            setattr(node, field, mapping.get(name, name))
