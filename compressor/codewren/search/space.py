"""What may be searched: for every gene of an architecture its allowed values, read from TOML.

    name = "mine"            # optional: else the file's name
    max_length = 256         # fixed: tokens of an input, the two special ones included
    vocab_size = [1000, 2000]
    hidden_size = { start = 64, stop = 256, step = 32 }    # stop included
    num_layers = …, num_heads = …, intermediate_size = …

Not every combination is an architecture: heads must divide the hidden size.
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
from codewren_runtime.files import sha256_of
from codewren_runtime.tokenizer import SPECIAL_TOKENS
from codewren_runtime.types import MIN_LENGTH, Architecture

__all__ = ["GENES", "SearchSpace", "load_space", "named_spaces"]

# The order of the columns of every index array, and of the lexicographic tie-break.
GENES = ("vocab_size", "hidden_size", "num_layers", "num_heads", "intermediate_size")

# Least and largest value of each. Byte-level BPE needs 256 bytes and the special tokens;
# the upper limits keep FLOPs within 63 bits, so that numpy never wraps around.
_LIMITS = {
    "vocab_size": (256 + len(SPECIAL_TOKENS), 10_000_000),
    "hidden_size": (1, 65_536),
    "num_layers": (1, 256),
    "num_heads": (1, 65_536),
    "intermediate_size": (1, 65_536),
    "max_length": (MIN_LENGTH, 65_536),
}
_MAX_VALUES = 10_000  # of one gene: a slip in `stop` must not fill the memory


@dataclass(frozen=True)
class SearchSpace:
    """Allowed values of every gene, each sorted and without repeats, and the fixed length.

    Raises OptionError, naming the gene, for values out of range and for a space without any
    valid combination.
    """

    name: str
    vocab_size: tuple[int, ...]
    hidden_size: tuple[int, ...]
    num_layers: tuple[int, ...]
    num_heads: tuple[int, ...]
    intermediate_size: tuple[int, ...]
    max_length: int = 400

    def __post_init__(self) -> None:
        for gene, values in zip(GENES, self.genes, strict=True):
            if not values:
                raise OptionError(f"{gene} has no values: give at least one")
            for value in values:
                _check(gene, value)
            if list(values) != sorted(set(values)):
                raise OptionError(f"{gene}: values must be sorted and without repeats")
        _check("max_length", self.max_length)
        if not self.hidden_and_heads.size:
            raise OptionError(
                "no valid combination: no value of num_heads divides a value of hidden_size; "
                "add 1 to num_heads, or multiples of its values to hidden_size"
            )

    @property
    def genes(self) -> tuple[tuple[int, ...], ...]:
        """The values of each gene, in the order of `GENES`."""
        return tuple(getattr(self, gene) for gene in GENES)

    @cached_property
    def hidden_and_heads(self) -> IntArray:
        """Index pairs (n, 2) of hidden size and heads that go together, in order."""
        hidden, heads = np.array(self.hidden_size), np.array(self.num_heads)
        return np.argwhere(hidden[:, None] % heads[None, :] == 0)

    @property
    def size(self) -> int:
        """Number of valid configurations."""
        others = len(self.vocab_size) * len(self.num_layers) * len(self.intermediate_size)
        return len(self.hidden_and_heads) * others

    @cached_property
    def _tables(self) -> tuple[IntArray, ...]:
        return tuple(np.array(values, dtype=np.int64) for values in self.genes)

    def shapes(self, index: IntArray) -> Shapes:
        """Index rows (n, 5), one column per gene, to the genes' values (n,)."""
        columns = [table[column] for table, column in zip(self._tables, index.T, strict=True)]
        vocab, hidden, layers, heads, intermediate = columns
        length = np.array(self.max_length)
        return Shapes(vocab, hidden, layers, heads, intermediate, length)

    def valid(self, index: IntArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which index rows (n, 5) are architectures: (n,) booleans."""
        shapes = self.shapes(index)
        return np.asarray(shapes.hidden_size % shapes.num_heads == 0)

    def architecture(self, row: IntArray | list[int]) -> Architecture:
        """One index row (5,) to its architecture; raises OptionError if it is not valid."""
        values = {g: getattr(self, g)[i] for g, i in zip(GENES, row, strict=True)}
        return Architecture(**values, max_length=self.max_length)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: every allowed value written out."""
        genes = {gene: list(values) for gene, values in zip(GENES, self.genes, strict=True)}
        return {"name": self.name, "max_length": self.max_length, **genes}

    @property
    def sha256(self) -> str:
        """Hash (hex) of everything but the name."""
        return sha256_of({k: v for k, v in self.to_json().items() if k != "name"})


def named_spaces() -> tuple[str, ...]:
    """Names of the spaces that come with the package."""
    folder = package_files("codewren.search") / "spaces"
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def load_space(source: str | Path) -> SearchSpace:
    """A space by its name ("paper", "small") or by the path of a TOML file.

    Raises OptionError naming the file and the remedy if there is no such space or if the
    file cannot be used.
    """
    if isinstance(source, str) and source in named_spaces():
        resource = package_files("codewren.search") / "spaces" / f"{source}.toml"
        return _parse(resource.read_bytes(), source, source)
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OptionError(
            f"{source}: no such space ({error.strerror}); give a TOML file or one of "
            f"{', '.join(named_spaces())}"
        ) from error
    return _parse(data, str(source), path.stem)


def _parse(data: bytes, where: str, stem: str) -> SearchSpace:
    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OptionError(f"{where}: is not TOML ({error})") from error
    allowed = {"name", "max_length", *GENES}
    if unknown := sorted(set(table) - allowed):
        raise OptionError(
            f"{where}: unknown key {unknown[0]!r}; the keys are {', '.join(sorted(allowed))}"
        )
    if missing := [key for key in ("max_length", *GENES) if key not in table]:
        raise OptionError(f"{where}: {missing[0]} is missing; give it a value")
    name = table.get("name", stem)
    if not isinstance(name, str) or not name:
        raise OptionError(f"{where}: name must be a non-empty string, not {name!r}")
    try:
        genes = {gene: _values(gene, table[gene]) for gene in GENES}
        return SearchSpace(name=name, max_length=table["max_length"], **genes)
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
    else:
        raise OptionError(f"{gene}: give a list, or a range {{start, stop, step}}, not {given!r}")
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
