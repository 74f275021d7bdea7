"""Which local names surely hold plain values, as all of their declarations in the text say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from codewren.rewriting.renaming import Code
from codewren.rewriting.reserved import looks_like_macro
from codewren.rewriting.syntax import COMMENTS, inside, text_of
from codewren.source import Language

if TYPE_CHECKING:
    from tree_sitter import Node, Tree

__all__ = ["NUMBER", "REFERENCE", "is_plain", "kinds_of", "plain_declarator"]

NUMBER = "number"  # of C also a pointer; of Java no box: reading it cannot fail
REFERENCE = "reference"  # of Java only

_ODD = frozenset({"volatile", "__volatile", "__volatile__", "_Atomic"})
_C_NUMBERS = frozenset({"primitive_type", "sized_type_specifier"})
_C_RECORDS = frozenset({"struct_specifier", "union_specifier", "enum_specifier"})
_JAVA_NUMBERS = frozenset({"integral_type", "floating_point_type", "boolean_type"})
_JAVA_HOLDERS = frozenset(
    {"local_variable_declaration", "formal_parameter", "enhanced_for_statement", "resource"}
)

_Found = Iterator[tuple[str, str | None]]


def kinds_of(code: Code, tree: Tree) -> dict[str, str]:
    """The local names that all declarations of the name give one kind, NUMBER or REFERENCE."""
    if code.language is Language.C and code.words & _ODD:
        return {}
    declared: Callable[[Node], _Found] = _in_java if code.language is Language.JAVA else _in_c
    kinds: dict[str, set[str | None]] = {}
    for node in inside(tree.root_node):
        for name, kind in declared(node):
            kinds.setdefault(name, set()).add(kind)
    return {
        name: kind
        for name, found in kinds.items()
        if name in code.names and len(found) == 1 and (kind := next(iter(found))) is not None
    }


def plain_declarator(declarator: Node) -> tuple[Node | None, bool]:
    """The name that a declarator of C declares, None if it is an array's or the like; a pointer?"""
    at: Node | None = declarator
    if at is not None and at.type == "init_declarator":
        at = at.child_by_field_name("declarator")
    pointer = False
    while at is not None and at.type == "pointer_declarator":
        at, pointer = at.child_by_field_name("declarator"), True
    return (at if at is not None and at.type == "identifier" else None), pointer


def _in_c(node: Node) -> _Found:
    """What a node declares; a name whose address is taken is as good as one of no kind."""
    if node.type == "pointer_expression" and node.children[0].type == "&":
        at: Node | None = node.child_by_field_name("argument")
        while at is not None and at.type == "parenthesized_expression":
            at = next((part for part in at.named_children if part.type not in COMMENTS), None)
        if at is not None:
            yield text_of(at), None
    if node.type in ("declaration", "parameter_declaration"):
        for declarator in node.children_by_field_name("declarator"):
            name, pointer = plain_declarator(declarator)
            if name is not None:
                yield text_of(name), NUMBER if is_plain(node, pointer=pointer) else None
            else:
                yield from _all_names(declarator)


def _all_names(declarator: Node) -> _Found:
    for node in inside(declarator):
        if node.type == "identifier":
            yield text_of(node), None


def is_plain(declaration: Node, *, pointer: bool) -> bool:
    """Whether nothing is said before the declarators but `const` and a type known by its name.

    The name of a type may be a macro's, or stand for an array: it will do for a pointer, unless
    written as macros are.
    """
    declarators = declaration.children_by_field_name("declarator")
    said = [c for c in declaration.children if c.is_named and c not in declarators]
    return all(_is_const(child) or _is_type(child, pointer=pointer) for child in said)


def _is_const(specifier: Node) -> bool:
    return specifier.type == "type_qualifier" and text_of(specifier) == "const"


def _is_type(specifier: Node, *, pointer: bool) -> bool:
    if specifier.type in _C_NUMBERS:  # `unsigned FOO` is one too
        return all(part.type in _C_NUMBERS for part in inside(specifier) if part.is_named)
    if specifier.type in _C_RECORDS:
        return pointer and specifier.child_by_field_name("body") is None
    of_name = specifier.type == "type_identifier" and not looks_like_macro(text_of(specifier))
    return pointer and of_name


def _in_java(node: Node) -> _Found:
    """What a node declares; parameters of lambdas without a type, and `var`, may hold boxes."""
    if node.type in ("lambda_expression", "inferred_parameters"):
        bare = node.child_by_field_name("parameters") if node.type[0] == "l" else node
        for child in [bare, *bare.children] if bare is not None else []:
            if child.type == "identifier":
                yield text_of(child), None
    if node.type in _JAVA_HOLDERS:
        kind = _java_kind(node.child_by_field_name("type"))
        for holder in node.children_by_field_name("declarator") or [node]:
            name = holder.child_by_field_name("name")
            array = holder.child_by_field_name("dimensions") is not None
            if name is not None:
                yield text_of(name), REFERENCE if array and kind is not None else kind
    if node.type in ("spread_parameter", "catch_formal_parameter"):
        yield from _all_names(node)


def _java_kind(of: Node | None) -> str | None:
    if of is None or text_of(of) == "var":
        return None
    return NUMBER if of.type in _JAVA_NUMBERS else REFERENCE
