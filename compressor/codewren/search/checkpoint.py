"""A run of the genetic algorithm on disk: JSON, written atomically, no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from random import Random
from typing import Any

from codewren.search.result import GenerationRecord
from codewren.search.space import GENES, SearchSpace
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json, write_json

__all__ = ["RunState", "load_state", "save_state"]


@dataclass(frozen=True, slots=True)
class RunState:
    """Everything that the next generation depends on; individuals are rows of indices."""

    random: Any  # what random.Random.getstate gives
    population: list[list[int]]
    hall: list[list[int]]
    history: list[dict[str, Any]]
    evaluations: int
    restarts: int
    stagnant: int


def save_state(path: Path, key: str, state: RunState) -> None:
    """Write the checkpoint of the search that `key` (a sha256) identifies."""
    write_json(path, {"search_sha256": key, **asdict(state)})


def load_state(path: Path, key: str, space: SearchSpace) -> RunState:
    """Read a checkpoint.

    Raises OptionError if it is damaged, or belongs to another search than `key` says.
    """
    data = read_json(path)
    if data.pop("search_sha256", None) != key:
        raise OptionError(
            f"{path}: belongs to a search with other settings; finish that one, or begin anew "
            "with --force (which deletes it)"
        )
    try:
        return _read(data, space)
    except (TypeError, ValueError, KeyError) as error:
        raise OptionError(f"{path}: is damaged ({error}); delete it to start again") from error


def _read(data: Mapping[str, Any], space: SearchSpace) -> RunState:
    values = {field.name: data[field.name] for field in fields(RunState)}
    version, words, gauss = values["random"]
    values["random"] = (version, tuple(words), gauss)
    Random().setstate(values["random"])
    for row in [*values["population"], *values["hall"]]:
        if len(row) != len(GENES) or not all(
            type(i) is int and 0 <= i < len(genes)
            for i, genes in zip(row, space.genes, strict=True)
        ):
            raise ValueError(f"{row} is no individual")
    if not values["population"] or not values["hall"]:
        raise ValueError("no individuals")
    for entry in values["history"]:
        GenerationRecord(**entry)
    if not all(type(values[name]) is int for name in ("evaluations", "restarts", "stagnant")):
        raise ValueError("counts must be integers")
    return RunState(**values)
