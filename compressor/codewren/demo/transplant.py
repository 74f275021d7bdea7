"""Giving a function words of another one, so that words alone do not tell the two apart.

This changes what the function does: the result is a new function, made before any pair
is. Attributes become attributes, globals globals, and string constants string constants,
each consistently, so it keeps its own structure.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from dataclasses import replace
from random import Random

from codewren.demo.functions import Function
from codewren.demo.names import identifiers, nodes
from codewren.demo.rewrites import parse_function
from codewren.demo.traits import traits

__all__ = ["distance", "transplanted"]

_BUILTINS = frozenset(dir(builtins))


def distance(one: Function, two: Function) -> float:
    """Share of traits, counted as often as they occur, that the two do not have in common."""
    a, b = Counter(one.traits), Counter(two.traits)
    return 1.0 - (a & b).total() / max(1, (a | b).total())


def transplanted(function: Function, donor: Function, rate: float, rng: Random) -> Function:
    """`function` with about `rate` of its own words replaced by words that only `donor` has."""
    tree = parse_function(function.text)
    parts = nodes(tree)
    mapping = _mapping(function, donor, rate, rng)
    taken = set(identifiers(parts))
    for part in parts:
        if isinstance(part, ast.Attribute):
            part.attr = mapping.get("." + part.attr, "." + part.attr)[1:]
        elif isinstance(part, ast.Name):
            new = mapping.get("=" + part.id, "=" + part.id)[1:]
            part.id = part.id if new in taken else new
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            trait = "#" + repr(part.value)
            part.value = ast.literal_eval(mapping.get(trait, trait)[1:])
    return replace(function, text=ast.unparse(tree), traits=tuple(traits(parts)))


def _mapping(function: Function, donor: Function, rate: float, rng: Random) -> dict[str, str]:
    theirs, ours = _words(donor), _words(function)
    mapping: dict[str, str] = {}
    for kind in (".", "=", "#"):
        new = [word for word in theirs if word[0] == kind and word not in ours]
        old = [word for word in ours if word[0] == kind and word not in theirs]
        rng.shuffle(new)
        mapping |= {word: new.pop() for word in old if new and rng.random() < rate}
    return mapping


def _words(function: Function) -> list[str]:
    """Attributes, globals that are no builtins, and short plain strings; each once, in order."""
    words = dict.fromkeys(function.traits)
    return [word for word in words if _is_word(word)]


def _is_word(trait: str) -> bool:
    if trait[0] == "#":
        return trait[1] in "'\"" and len(trait) < 40 and not set(trait) & set("{}\\")
    return trait[0] == "." or (trait[0] == "=" and trait[1:] not in _BUILTINS)
