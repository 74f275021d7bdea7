"""Rewriting of C, Java and Python that keeps the meaning, by tree-sitter; no model, no torch."""

from __future__ import annotations

from codewren.rewriting.copies import name_pool, other_names, rewritten
from codewren.rewriting.layout import recommented, reformatted, with_dead_code
from codewren.rewriting.loops import exchanges, with_other_loops
from codewren.rewriting.renaming import LANGUAGES, Code, read_code
from codewren.rewriting.statements import reordered, swaps

__all__ = [
    "LANGUAGES",
    "Code",
    "exchanges",
    "name_pool",
    "other_names",
    "read_code",
    "recommented",
    "reformatted",
    "reordered",
    "rewritten",
    "swaps",
    "with_dead_code",
    "with_other_loops",
]
