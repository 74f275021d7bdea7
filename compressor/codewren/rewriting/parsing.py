"""A text's syntax tree, whatever attributes stand before a C function's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codewren.rewriting import c
from codewren.rewriting.syntax import tree_of
from codewren.source import Language

if TYPE_CHECKING:
    from tree_sitter import Tree

__all__ = ["parsed"]


def parsed(source: bytes, language: Language) -> Tree | None:
    """The tree, whose offsets are the source's; None where a part could not be parsed."""
    tree = tree_of(source, language)
    if tree is None and language is Language.C:
        blanked = c.without_attributes(source)
        tree = tree_of(blanked, language) if blanked is not None else None
    return tree
