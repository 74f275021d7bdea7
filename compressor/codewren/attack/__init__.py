"""Renaming attacks: names that a person might write, and that change a model's answer."""

from __future__ import annotations

from importlib.util import find_spec

from codewren_runtime.errors import MissingExtraError

if find_spec("deap") is None:
    raise MissingExtraError("search", "deap")

from codewren.attack.candidates import Source, accepted, from_file
from codewren.attack.search import Outcome, attack_example

__all__ = ["Outcome", "Source", "accepted", "attack_example", "from_file"]
