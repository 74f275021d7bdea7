"""What can go wrong by a user's hand: one small tree.

    CodewrenError
    ├── DataError        a data set or source file that cannot be used (path and row named)
    ├── OptionError      an option, recipe or run directory that cannot be used
    ├── BudgetError      no architecture or bundle fits the budget
    ├── ModelError       a teacher or student checkpoint that cannot be used
    ├── BundleError      a bundle that is damaged, hostile or of another schema
    ├── GateError        an exported bundle failed a gate (parity, agreement, size)
    └── MissingExtraError  an optional dependency is not installed

The command line turns each into one line on stderr and exit status 2.
Anything else is a bug and keeps its traceback.
"""

from __future__ import annotations

__all__ = [
    "BudgetError",
    "BundleError",
    "CodewrenError",
    "DataError",
    "GateError",
    "MissingExtraError",
    "ModelError",
    "OptionError",
]


class CodewrenError(Exception):
    """Base of all errors that a user can cause and mend; the message is one line."""


class DataError(CodewrenError):
    """A data set or source file cannot be used; names the file and, where known, the row."""


class OptionError(CodewrenError):
    """An option, recipe or run directory cannot be used."""


class BudgetError(CodewrenError):
    """Nothing fits the budget of bytes on disk."""


class ModelError(CodewrenError):
    """A teacher or student checkpoint cannot be used."""


class BundleError(CodewrenError):
    """A bundle is damaged, hostile or of another schema."""


class GateError(CodewrenError):
    """An exported bundle failed a gate: parity, agreement or size."""


class MissingExtraError(CodewrenError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, missing: str) -> None:
        super().__init__(f"{missing} is not installed: run  pip install 'codewren[{extra}]'")
