"""The languages that are known, and what a function is in each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath

__all__ = ["GRAMMARS", "Grammar", "Language", "language_of"]


class Language(StrEnum):
    """A language, by the identifier that editors know it by."""

    C = "c"
    CPP = "cpp"
    GO = "go"
    JAVA = "java"
    JAVASCRIPT = "javascript"
    PYTHON = "python"
    RUST = "rust"
    TSX = "typescriptreact"
    TYPESCRIPT = "typescript"


@dataclass(frozen=True, slots=True)
class Grammar:
    """A grammar as a module and the function in it, and what nodes are functions there."""

    module: str
    functions: frozenset[str]
    suffixes: tuple[str, ...]
    entry: str = "language"


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

GRAMMARS: Mapping[Language, Grammar] = {
    Language.C: Grammar("tree_sitter_c", _C, (".c", ".h")),
    Language.CPP: Grammar(
        "tree_sitter_cpp", _C, (".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".ipp", ".c++")
    ),
    Language.GO: Grammar(
        "tree_sitter_go", frozenset({"function_declaration", "method_declaration"}), (".go",)
    ),
    Language.JAVA: Grammar(
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
    Language.JAVASCRIPT: Grammar(
        "tree_sitter_javascript", _SCRIPT, (".js", ".jsx", ".mjs", ".cjs")
    ),
    Language.PYTHON: Grammar(
        "tree_sitter_python", frozenset({"function_definition"}), (".py", ".pyi")
    ),
    Language.RUST: Grammar("tree_sitter_rust", frozenset({"function_item"}), (".rs",)),
    Language.TSX: Grammar("tree_sitter_typescript", _SCRIPT, (".tsx",), "language_tsx"),
    Language.TYPESCRIPT: Grammar(
        "tree_sitter_typescript", _SCRIPT, (".ts", ".mts", ".cts"), "language_typescript"
    ),
}
_BY_SUFFIX = {suffix: name for name, known in GRAMMARS.items() for suffix in known.suffixes}


# What C has no words for; C++'s grammar reads C well, so that a mistake costs little.
_ONLY_CPP = re.compile(
    rb"^[ \t]*(?:class\s+\w|namespace\s|template\s*<|using\s|(?:public|private|protected)\s*:)",
    re.MULTILINE,
)


def language_of(path: PurePath | str, source: bytes = b"") -> Language | None:
    """The language by the file's suffix; None if it is not known.

    A `.h` is C, or C++ where a line of its `source` begins as only C++ does.
    """
    suffix = PurePath(path).suffix.lower()
    if suffix == ".h" and _ONLY_CPP.search(source):
        return Language.CPP
    return _BY_SUFFIX.get(suffix)
