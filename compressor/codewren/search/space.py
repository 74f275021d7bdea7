"""What may be searched: for every gene of an architecture its allowed values, read from TOML.

    name = "mine"            # optional: else the file's name
    vocab_size = [1000, 2000]
    hidden_size = { start = 64, stop = 256, step = 32 }    # stop included
    num_layers = …, num_heads = …, intermediate_size = …
    max_length = 256         # tokens of an input, the two special ones included
    embedding_size = [0, 64] # optional; 0: not factorised
    shared_layers = [1, 2]   # optional; layers that are one set of weights

One number stands for a list of one. Not every combination is an architecture: heads must
divide the hidden size, shared layers the layers, and a factorised embedding must be narrower
than the hidden size.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np

from codewren.search.cost import IntArray, Shapes
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_small, sha256_of
from codewren_runtime.tokenizer import SPECIAL_TOKENS
from codewren_runtime.types import MIN_LENGTH, Architecture

__all__ = ["GENES", "SearchSpace", "load_space", "named_spaces"]

# The order of the columns of every index array, and of the lexicographic tie-break.
GENES = (
    "vocab_size",
    "hidden_size",
    "num_layers",
    "num_heads",
    "intermediate_size",
    "max_length",
    "embedding_size",
    "shared_layers",
)
_OPTIONAL = ("embedding_size", "shared_layers")

# Genes that constrain each other: only some combinations of their values are architectures.
WIDTH_GENES = tuple(map(GENES.index, ("hidden_size", "num_heads", "embedding_size")))
DEPTH_GENES = tuple(map(GENES.index, ("num_layers", "shared_layers")))

# Least and largest value of each. Byte-level BPE needs 256 bytes and the special tokens;
# the upper limits keep FLOPs within 63 bits, so that numpy never wraps around.
_LIMITS = {
    "vocab_size": (256 + len(SPECIAL_TOKENS), 10_000_000),
    "hidden_size": (1, 65_536),
    "num_layers": (1, 256),
    "num_heads": (1, 65_536),
    "intermediate_size": (1, 65_536),
    "max_length": (MIN_LENGTH, 65_536),
    "embedding_size": (0, 65_536),
    "shared_layers": (1, 256),
}
_MAX_VALUES = 10_000  # of one gene: a slip in `stop` must not fill the memory


@dataclass(frozen=True)
class SearchSpace:
    """Allowed values of every gene, each sorted and without repeats.

    Raises OptionError, naming the gene, for values out of range and for a space without any
    valid combination.
    """

    name: str
    vocab_size: tuple[int, ...]
    hidden_size: tuple[int, ...]
    num_layers: tuple[int, ...]
    num_heads: tuple[int, ...]
    intermediate_size: tuple[int, ...]
    max_length: tuple[int, ...] = (400,)
    embedding_size: tuple[int, ...] = (0,)
    shared_layers: tuple[int, ...] = (1,)

    def __post_init__(self) -> None:
        for gene, values in zip(GENES, self.genes, strict=True):
            if not values:
                raise OptionError(f"{gene} has no values: give at least one")
            for value in values:
                _check(gene, value)
            if list(values) != sorted(set(values)):
                raise OptionError(f"{gene}: values must be sorted and without repeats")
        if not self.widths.size:
            raise OptionError(
                "no valid combination: no value of num_heads divides a value of hidden_size "
                "above embedding_size; add 1 to num_heads, 0 to embedding_size, or larger values "
                "to hidden_size"
            )
        if not self.depths.size:
            raise OptionError(
                "no valid combination: no value of shared_layers divides a value of num_layers; "
                "add 1 to shared_layers"
            )

    @property
    def genes(self) -> tuple[tuple[int, ...], ...]:
        """The values of each gene, in the order of `GENES`."""
        return tuple(getattr(self, gene) for gene in GENES)

    @cached_property
    def widths(self) -> IntArray:
        """Index rows (n, 3), columns `WIDTH_GENES`, of the widths that go together, in order."""
        hidden, heads, embedding = np.ix_(*(self._tables[gene] for gene in WIDTH_GENES))
        return np.argwhere((hidden % heads == 0) & (embedding < hidden))

    @cached_property
    def depths(self) -> IntArray:
        """Index rows (n, 2), columns `DEPTH_GENES`, of the depths that go together, in order."""
        layers, shared = np.ix_(*(self._tables[gene] for gene in DEPTH_GENES))
        return np.argwhere(layers % shared == 0)

    @property
    def size(self) -> int:
        """Number of valid configurations."""
        free = len(self.vocab_size) * len(self.intermediate_size) * len(self.max_length)
        return free * len(self.widths) * len(self.depths)

    @cached_property
    def _tables(self) -> tuple[IntArray, ...]:
        return tuple(np.array(values, dtype=np.int64) for values in self.genes)

    def shapes(self, index: Sequence[IntArray]) -> Shapes:
        """One array of indices per gene, of shapes that broadcast together, to the values."""
        values = {
            gene: table[column]
            for gene, table, column in zip(GENES, self._tables, index, strict=True)
        }
        embedding = values["embedding_size"]
        values["embedding_size"] = np.where(embedding == 0, values["hidden_size"], embedding)
        return Shapes(**values)

    def valid(self, index: IntArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which index rows (n, genes) are architectures: (n,) booleans."""
        values = [table[column] for table, column in zip(self._tables, index.T, strict=True)]
        hidden, heads, embedding = (values[gene] for gene in WIDTH_GENES)
        layers, shared = (values[gene] for gene in DEPTH_GENES)
        return np.asarray((hidden % heads == 0) & (embedding < hidden) & (layers % shared == 0))

    def architecture(self, row: IntArray | list[int]) -> Architecture:
        """One index row (genes,) to its architecture; raises OptionError if it is not valid."""
        return Architecture(**{g: getattr(self, g)[i] for g, i in zip(GENES, row, strict=True)})

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: every allowed value written out."""
        genes = {gene: list(values) for gene, values in zip(GENES, self.genes, strict=True)}
        return {"name": self.name, **genes}

    @property
    def sha256(self) -> str:
        """Hash (hex) of everything but the name."""
        return sha256_of({k: v for k, v in self.to_json().items() if k != "name"})


def named_spaces() -> tuple[str, ...]:
    """Names of the spaces that come with the package."""
    folder = package_files("codewren.search") / "spaces"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def load_space(source: str | Path) -> SearchSpace:
    """A space by its name ("paper", "small", "wide") or by the path of a TOML file.

    Raises OptionError naming the file and the remedy if there is no such space or if the
    file cannot be used.
    """
    if isinstance(source, str) and source in named_spaces():
        resource = package_files("codewren.search") / "spaces" / f"{source}.toml"
        return _parse(resource.read_bytes(), source, source)
    path = Path(source)
    if not path.is_file():
        names = ", ".join(named_spaces())
        raise OptionError(f"{path}: no such space or file; give a TOML file or one of {names}")
    data = read_small(path)
    return _parse(data, str(source), path.stem)


def _parse(data: bytes, where: str, stem: str) -> SearchSpace:
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{where}: is not TOML ({error})") from error
    allowed = {"name", *GENES}
    if unknown := sorted(set(table) - allowed):
        raise OptionError(
            f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(sorted(allowed))}"
        )
    if missing := [key for key in GENES if key not in table and key not in _OPTIONAL]:
        raise OptionError(f"{where}: {missing[0]} is missing; give it a value")
    name = table.get("name", stem)
    if not isinstance(name, str) or not name:
        raise OptionError(f"{where}: name must be a non-empty string, not {name!r}")
    try:
        genes = {gene: _values(gene, table[gene]) for gene in GENES if gene in table}
        return SearchSpace(name=name, **genes)
    except OptionError as error:
        raise OptionError(f"{where}: {error}") from error


def _values(gene: str, given: object) -> tuple[int, ...]:
    if isinstance(given, Mapping):
        if set(given) != {"start", "stop", "step"}:
            raise OptionError(f"{gene}: a range has start, stop and step, got {sorted(given)}")
        start, stop, step = (given[key] for key in ("start", "stop", "step"))
        if not all(type(value) is int for value in (start, stop, step)) or step < 1:
            raise OptionError(f"{gene}: start, stop and step must be integers, step at least 1")
        span: Sequence[int] = range(start, stop + 1, step)
    elif isinstance(given, list):
        span = given
    elif type(given) is int:
        span = [given]
    else:
        raise OptionError(
            f"{gene}: give a number, a list, or a range {{start, stop, step}}, not {given!r}"
        )
    if len(span) > _MAX_VALUES:
        raise OptionError(f"{gene}: {len(span)} values are too many (at most {_MAX_VALUES})")
    for value in span:
        _check(gene, value)
    return tuple(sorted(set(span)))


def _check(gene: str, value: object) -> None:
    least, largest = _LIMITS[gene]
    if type(value) is not int or not least <= value <= largest:
        raise OptionError(
            f"{gene}: {value!r} is out of range; give integers from {least} to {largest}"
        )
