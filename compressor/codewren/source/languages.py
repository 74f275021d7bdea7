"""The languages that are known, and what a function is in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

__all__ = ["LANGUAGES", "Language", "language_of"]


@dataclass(frozen=True, slots=True)
class Language:
    """A grammar, as a module and the function in it, and its kinds of nodes with a body."""

    module: str
    functions: frozenset[str]
    suffixes: tuple[str, ...]
    grammar: str = "language"


_SCRIPT = frozenset(
    {
        "function_declaration",
        "generator_function_declaration",
        "function_expression",
        "generator_function",
        "arrow_function",
        "method_definition",
    }
)
_C = frozenset({"function_definition"})

LANGUAGES: Mapping[str, Language] = {
    "c": Language("tree_sitter_c", _C, (".c", ".h")),
    "cpp": Language(
        "tree_sitter_cpp", _C, (".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".ipp", ".c++")
    ),
    "go": Language(
        "tree_sitter_go", frozenset({"function_declaration", "method_declaration"}), (".go",)
    ),
    "java": Language(
        "tree_sitter_java",
        frozenset(
            {
                "method_declaration",
                "constructor_declaration",
                "compact_constructor_declaration",
            }
        ),
        (".java",),
    ),
    "javascript": Language("tree_sitter_javascript", _SCRIPT, (".js", ".jsx", ".mjs", ".cjs")),
    "python": Language("tree_sitter_python", frozenset({"function_definition"}), (".py", ".pyi")),
    "rust": Language("tree_sitter_rust", frozenset({"function_item"}), (".rs",)),
    "tsx": Language("tree_sitter_typescript", _SCRIPT, (".tsx",), "language_tsx"),
    "typescript": Language(
        "tree_sitter_typescript", _SCRIPT, (".ts", ".mts", ".cts"), "language_typescript"
    ),
}
_BY_SUFFIX = {suffix: name for name, lang in LANGUAGES.items() for suffix in lang.suffixes}


def language_of(path: PurePath | str) -> str | None:
    """The language by the file's suffix; None if it is not known."""
    return _BY_SUFFIX.get(PurePath(path).suffix.lower())
