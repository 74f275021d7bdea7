"""The abuse cases: for each its name, what the refusal says, and how it is written."""

from __future__ import annotations

from cases_files import FILE_CASES
from cases_graph import GRAPH_CASES
from cases_texts import TEXT_CASES
from packing import Parts, Write

__all__ = ["CASES", "Parts"]

CASES: dict[str, tuple[str, Write]] = {**FILE_CASES, **TEXT_CASES, **GRAPH_CASES}
