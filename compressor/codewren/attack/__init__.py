"""Renaming attacks: names that a person might write, and that change a model's answer."""

from __future__ import annotations

from codewren.attack.candidates import Source, accepted, from_file
from codewren.attack.search import Outcome, attack_example
from codewren.attack.target import Target, open_target

__all__ = ["Outcome", "Source", "Target", "accepted", "attack_example", "from_file", "open_target"]
