"""Functions of source files in nine languages, by tree-sitter. Imports no model and no torch."""

from __future__ import annotations

from codewren.source.functions import Function, find_functions
from codewren.source.languages import SUFFIXES, Language, language_of

__all__ = ["SUFFIXES", "Function", "Language", "find_functions", "language_of"]
