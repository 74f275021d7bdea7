"""The data of `compress demo`: clone detection made from Python sources on this machine."""

from __future__ import annotations

from codewren.demo.pairs import DemoPairs, make_pairs, write_pairs

__all__ = ["DemoPairs", "make_pairs", "write_pairs"]
