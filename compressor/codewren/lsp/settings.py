"""Settings of the editor server: flags, under what the editor sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codewren.kept import kept_bundle
from codewren_runtime.errors import OptionError

__all__ = ["SECTION", "Settings"]

SECTION = "codewren"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server goes by.

    `threshold` is a probability; `debounce` is in milliseconds, from the last key to scoring;
    `max_size` is in characters.
    """

    bundle: Path | None = None
    threshold: float = 0.5
    debounce: int = 150
    max_size: int = 2_000_000

    def updated(self, sent: object) -> Settings:
        """These settings under those that the editor sent, bare or as `{"codewren": {…}}`.

        Nothing sent changes nothing. Raises OptionError for an unknown name or a bad value.
        """
        if sent is None:
            return self
        if not isinstance(sent, Mapping):
            raise OptionError(f"settings: must be an object, not {_short(sent)}")
        values: Mapping[str, Any] = sent.get(SECTION, sent)
        if not isinstance(values, Mapping):
            raise OptionError(f"settings: {SECTION} must be an object, not {_short(values)}")
        if unknown := sorted(str(name) for name in values if name not in _FIELDS):
            raise OptionError(
                f"settings: unknown name {_short(unknown[0])}; known are {', '.join(_FIELDS)}"
            )
        changes: dict[str, Any] = {}
        for name, value in values.items():
            field, read = _FIELDS[name]
            if value is not None:
                changes[field] = read(name, value)
        return replace(self, **changes)


def _bundle(name: str, value: object) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise OptionError(f"settings: {name} must be the path of a bundle, not {_short(value)}")
    try:
        return kept_bundle(Path(value).expanduser())
    except RuntimeError as error:
        raise OptionError(f"settings: {name} {_short(value)} names no home folder") from error


def _probability(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise OptionError(f"settings: {name} must be a number from 0 to 1, not {_short(value)}")
    return float(value)


def _whole(least: int, most: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        # Lua and JavaScript may send 150.0 for 150.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise OptionError(f"settings: {name} must be a number, not {_short(value)}")
        if value != value // 1 or not least <= value <= most:
            raise OptionError(
                f"settings: {name} must be a whole number from {least:,} to {most:,}, "
                f"not {_short(value)}"
            )
        return int(value)

    return read


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_FIELDS: Mapping[str, tuple[str, Callable[[str, object], Any]]] = {
    "bundle": ("bundle", _bundle),
    "threshold": ("threshold", _probability),
    "debounce": ("debounce", _whole(0, 60_000)),
    "maxSize": ("max_size", _whole(1, 100_000_000)),
}
