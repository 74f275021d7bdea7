"""A text's syntax tree, whatever attributes stand before a C function's name."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from codewren.rewriting import c
from codewren.rewriting.syntax import Edit, Span, edited, tree_of
from codewren.source import Language

if TYPE_CHECKING:
    from tree_sitter import Tree

__all__ = ["Place", "parsed", "with_some"]

Place = tuple[Span, list[Edit]]  # what a change takes up, and the change


def parsed(source: bytes, language: Language) -> Tree | None:
    """The tree, whose offsets are the source's; None where a part could not be parsed."""
    tree = tree_of(source, language)
    if tree is None and language is Language.C:
        blanked = c.without_attributes(source)
        tree = tree_of(blanked, language) if blanked is not None else None
    return tree


def with_some(text: str, language: Language, places: Sequence[Place], rng: Random) -> str:
    """The text with one of the changes, and half of the others that do not overlap it.

    As it is where there are none, or the outcome would not parse.
    """
    edits: list[Edit] = []
    taken: list[Span] = []
    for (start, end), edit in rng.sample(places, len(places)):
        apart = all(end <= first or last <= start for first, last in taken)
        if apart and (not taken or rng.random() < 0.5):
            taken.append((start, end))
            edits += edit
    after = edited(text.encode(), edits)
    return after.decode() if edits and parsed(after, language) is not None else text
