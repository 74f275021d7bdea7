"""What the words of a C function are.

Declarators nest, so a declared name is found by climbing from it. The preprocessor is not run:
a name that a directive, an attribute or assembly mentions, or that stands alone as an argument
of what looks like a macro (which may paste it, or take it for a field), is pinned. What is
left to trust is that a macro uses no local that it is not given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from codewren.rewriting.reserved import looks_like_macro
from codewren.rewriting.syntax import FREE, PINNED, USE, Role, Step, text_of

__all__ = ["OPAQUE", "classify", "may_be_statements", "without_attributes"]

OPAQUE = frozenset(
    {
        "gnu_asm_expression", "attribute_specifier", "attribute_declaration",
        "ms_declspec_modifier", "macro_type_specifier", "preproc_def", "preproc_function_def",
        "preproc_call", "preproc_include", "preproc_defined",
    }
)  # fmt: skip

_OTHER_SPACES = frozenset({"field_identifier", "statement_identifier"})
_AROUND = frozenset({"pointer_declarator", "array_declarator", "init_declarator"})
_SCOPES = frozenset({"compound_statement", "for_statement"})
_CONDITIONAL = frozenset({"preproc_if", "preproc_elif", "preproc_ifdef", "preproc_elifdef"})
# Known to take values only, for the sake of the many functions that use them.
_VALUE_MACROS = re.compile(
    r"(FF|AV_|Q)?_?(MAX|MIN|ABS|SIGN|CEIL|FLOOR)\w*|MK(BE)?TAG|(AV_|FF_)?[RW][BLN]\d+"
)

# Macros of the C and kernel style that take a field or a type by name.
_LOWER_MACROS = frozenset({"container_of", "offsetof", "va_arg", "typeof", "__typeof__", "assert"})


def classify(path: Sequence[Step]) -> Role:
    """The role of the word that `path` leads to."""
    leaf, parent = path[-1], path[-2]
    if leaf.type in _OTHER_SPACES:
        return FREE
    if leaf.type != "identifier" or parent.type in _CONDITIONAL or _is_directive(path):
        return PINNED
    if parent.type == "enumerator" or _is_pasted(path):
        return PINNED
    if parent.type == "call_expression" and leaf.field == "function":
        return PINNED
    return _declared(path)


def _declared(path: Sequence[Step]) -> Role:
    at = len(path) - 1
    while path[at].field == "declarator" and path[at - 1].type in _AROUND:
        at -= 1
    if path[at].field != "declarator":
        nested = path[at - 1].type.endswith("declarator") and path[at - 1].type not in _AROUND
        return PINNED if nested else USE
    owner = path[at - 1]
    start = path[-1].node.start_byte
    if owner.type == "declaration":
        outside = any(
            child.type == "storage_class_specifier" and child.text == b"extern"
            for child in owner.node.children
        )
        scope = next((step for step in reversed(path[: at - 1]) if step.type in _SCOPES), None)
        return (
            PINNED if outside or scope is None else Role("declares", (start, scope.node.end_byte))
        )
    if owner.type == "parameter_declaration":
        return _parameter(path[: at - 1], start)
    return PINNED


def _parameter(path: Sequence[Step], start: int) -> Role:
    """A parameter of a function with a body; those of prototypes and pointers are pinned."""
    at = len(path) - 2  # past the list of parameters
    while path[at].type in ("function_declarator", "pointer_declarator"):
        at -= 1
    owner = path[at]
    body = owner.node.child_by_field_name("body") if owner.type == "function_definition" else None
    return PINNED if body is None else Role("declares", (start, body.end_byte))


def _is_directive(path: Sequence[Step]) -> bool:
    return any(
        step.field == "condition" and above.type in _CONDITIONAL for above, step in pairwise(path)
    )


def _is_pasted(path: Sequence[Step]) -> bool:
    """Whether the name alone is an argument of what looks like a macro."""
    if len(path) < 3 or path[-2].type != "argument_list" or path[-3].type != "call_expression":
        return False
    function = path[-3].node.child_by_field_name("function")
    name = text_of(function) if function is not None else ""
    return name in _LOWER_MACROS or may_be_statements(name)


def may_be_statements(name: str) -> bool:
    """Whether a call of `name` looks like a macro that may stand for more than a value."""
    return looks_like_macro(name) and _VALUE_MACROS.fullmatch(name) is None


_HEAD = re.compile(rb"[^(){};=#\"'/]*(?=\()")
_HEAD_WORD = re.compile(rb"[A-Za-z_]\w*")


def without_attributes(source: bytes) -> bytes | None:
    """The text with blanks for the words before a function's name, of the same length.

    `static av_cold int f(…)`: macros that a parser cannot know stand there, and no local does.
    The first word that is long enough becomes `int`. None if there is nothing to blank.
    """
    head = _HEAD.match(source)
    words = list(_HEAD_WORD.finditer(source, 0, head.end())) if head else []
    before = words[:-1]
    place = next((word for word in before if len(word[0]) >= 3), None)
    if head is None or place is None:
        return None
    blank = bytearray(source)
    for word in before:
        blank[word.start() : word.end()] = b" " * len(word[0])
    blank[place.start() : place.start() + 3] = b"int"
    return bytes(blank)
