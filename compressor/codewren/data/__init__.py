"""Readers of users' own data: JSON lines and folders of sources, without torch.

Needs only the base install, as `compress evaluate --bundle` does.
"""

from __future__ import annotations

from codewren.data.dataset import Dataset, evenly
from codewren.data.fields import Fields
from codewren.data.folder import EXTENSIONS, SourceText, read_sources
from codewren.data.problems import BadRow
from codewren.data.reading import read_examples

__all__ = [
    "EXTENSIONS",
    "BadRow",
    "Dataset",
    "Fields",
    "SourceText",
    "evenly",
    "read_examples",
    "read_sources",
]
