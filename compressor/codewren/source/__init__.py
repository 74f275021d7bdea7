"""Functions in source code of several languages, by tree-sitter."""

from __future__ import annotations

from importlib.util import find_spec

from codewren_runtime.errors import MissingExtraError

if find_spec("tree_sitter") is None:
    raise MissingExtraError("source", "tree-sitter")

from codewren.source.functions import Function, ParseTimeoutError, find_functions
from codewren.source.languages import Language, language_of

__all__ = ["Function", "Language", "ParseTimeoutError", "find_functions", "language_of"]
