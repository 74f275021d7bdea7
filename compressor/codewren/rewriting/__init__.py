"""Rewriting of C, Java and Python that keeps the meaning, by tree-sitter; no model, no torch."""

from __future__ import annotations

from codewren.rewriting.renaming import LANGUAGES, Code, read_code

__all__ = ["LANGUAGES", "Code", "read_code"]
