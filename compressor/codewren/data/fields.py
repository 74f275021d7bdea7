"""Which field of a row holds what."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codewren_runtime.errors import OptionError

__all__ = ["Fields"]


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the fields to read; each has a command-line option of the same name.

    Without more, a row is one text, `text`. With `text1` and `text2` it is a pair of texts;
    with `id1` and `id2` a pair of ids, whose texts are in `functions`, JSON lines with the
    fields `functions_id` and `functions_code`. `label` None reads no labels. `id` holds a row's
    own name, which a file of soft labels may call it by.
    Raises OptionError for half a pair, two kinds of pair, or a name that is no string.
    """

    text: str = "func"
    label: str | None = "target"
    text1: str | None = None
    text2: str | None = None
    id1: str | None = None
    id2: str | None = None
    functions: Path | None = None
    functions_id: str = "id"
    functions_code: str = "code"
    id: str | None = None

    def __post_init__(self) -> None:
        for name in ("text", "functions_id", "functions_code"):
            _check_name(name, getattr(self, name))
        for name in ("label", "text1", "text2", "id1", "id2", "id"):
            if getattr(self, name) is not None:
                _check_name(name, getattr(self, name))
        if (self.text1 is None) != (self.text2 is None):
            raise OptionError("fields: pairs need both --text1 and --text2")
        by_id = [self.id1 is not None, self.id2 is not None, self.functions is not None]
        if any(by_id) and not all(by_id):
            raise OptionError("fields: pairs by id need --id1, --id2 and --functions")
        if self.text1 is not None and self.id1 is not None:
            raise OptionError(
                "fields: pairs come by --text1 and --text2 or by --id1 and --id2, not both"
            )

    @property
    def is_pair(self) -> bool:
        """Whether a row is a pair."""
        return self.text1 is not None or self.id1 is not None

    @property
    def of_texts(self) -> tuple[tuple[str, str], ...]:
        """The options and names of the one or two fields that hold texts or ids."""
        if self.text1 is not None and self.text2 is not None:
            return ("--text1", self.text1), ("--text2", self.text2)
        if self.id1 is not None and self.id2 is not None:
            return ("--id1", self.id1), ("--id2", self.id2)
        return (("--text", self.text),)


def _check_name(option: str, name: object) -> None:
    if not isinstance(name, str) or not name:
        raise OptionError(f"fields: {option} must be the name of a field, not {name!r}")
