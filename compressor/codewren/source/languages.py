"""What each language calls a function: node types of its tree-sitter grammar, as data.

A walk with these tables, and not a tree-sitter query: a query takes time quadratic in the depth
of nesting (3 s for 60,000 open braces, without a chance to stop it), and it cannot be told to
pass over the inside of what it has found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING

from codewren_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    import tree_sitter

__all__ = ["GRAMMARS", "SUFFIXES", "Grammar", "Language", "grammar_of", "language_of"]


class Language(StrEnum):
    """A language, by the identifier that editors know it by."""

    C = "c"
    CPP = "cpp"
    JAVA = "java"
    PYTHON = "python"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"
    TSX = "typescriptreact"
    GO = "go"
    RUST = "rust"


@dataclass(frozen=True, slots=True)
class Named:
    """Fields of a node that makes a named function: its name, and the function if that is inside.

    `const f = () => {…}` is a `variable_declarator` with the fields `name` and `value`.
    """

    name: str = "name"
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar's package and entry, its function nodes, and nodes that can hold no function."""

    module: str
    functions: Mapping[str, Named]
    opaque: frozenset[str] = frozenset()
    entry: str = "language"


_DECLARED = {"function_definition": Named("declarator")}
_TABLES = frozenset({"initializer_list"})
_SCRIPT = {
    "function_declaration": Named(),
    "generator_function_declaration": Named(),
    "function_expression": Named(),
    "generator_function": Named(),
    "method_definition": Named(),
    "variable_declarator": Named("name", "value"),
    "assignment_expression": Named("left", "right"),
    "pair": Named("key", "value"),
}
_TYPED_SCRIPT = {**_SCRIPT, "public_field_definition": Named("name", "value")}

# The values that make a variable, a property or a field of a script a named function.
FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})

GRAMMARS: Mapping[Language, Grammar] = {
    Language.C: Grammar("tree_sitter_c", _DECLARED, _TABLES),
    Language.CPP: Grammar("tree_sitter_cpp", _DECLARED, _TABLES),
    Language.JAVA: Grammar(
        "tree_sitter_java",
        {
            "method_declaration": Named(),
            "constructor_declaration": Named(),
            "compact_constructor_declaration": Named(),
        },
    ),
    Language.PYTHON: Grammar("tree_sitter_python", {"function_definition": Named()}),
    Language.JAVASCRIPT: Grammar(
        "tree_sitter_javascript", {**_SCRIPT, "field_definition": Named("property", "value")}
    ),
    Language.TYPESCRIPT: Grammar(
        "tree_sitter_typescript", _TYPED_SCRIPT, entry="language_typescript"
    ),
    Language.TSX: Grammar("tree_sitter_typescript", _TYPED_SCRIPT, entry="language_tsx"),
    Language.GO: Grammar(
        "tree_sitter_go", {"function_declaration": Named(), "method_declaration": Named()}
    ),
    Language.RUST: Grammar("tree_sitter_rust", {"function_item": Named()}),
}

SUFFIXES: Mapping[str, Language] = {
    **dict.fromkeys((".c", ".h"), Language.C),
    **dict.fromkeys((".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".ipp", ".inl"), Language.CPP),
    ".java": Language.JAVA,
    **dict.fromkeys((".py", ".pyi"), Language.PYTHON),
    **dict.fromkeys((".js", ".cjs", ".mjs", ".jsx"), Language.JAVASCRIPT),
    **dict.fromkeys((".ts", ".cts", ".mts"), Language.TYPESCRIPT),
    ".tsx": Language.TSX,
    ".go": Language.GO,
    ".rs": Language.RUST,
}


def language_of(path: PurePath | str) -> Language | None:
    """The language that the suffix stands for; None for any other.

    `.h` counts as C; `find_functions` reads C that does not parse as C++ where that fits better.
    """
    return SUFFIXES.get(PurePath(path).suffix.lower())


@cache
def grammar_of(language: Language) -> tree_sitter.Language:
    """The compiled grammar; raises MissingExtraError where the extra is not installed."""
    grammar = GRAMMARS[language]
    try:
        import tree_sitter

        module = import_module(grammar.module)
    except ModuleNotFoundError as error:
        raise MissingExtraError("scan", error.name or "tree-sitter") from error
    return tree_sitter.Language(getattr(module, grammar.entry)())
