"""How many bytes may ship, and at which precision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from codewren_runtime.errors import OptionError

__all__ = ["Bits", "Budget", "parse_size"]

Bits = Literal[8, 16, 32]

_UNITS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}
_SIZE = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?\s*([a-z]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Budget:
    """A hard limit on the bytes of everything that ships, at `bits` per weight.

    Raises OptionError unless `size_bytes` is a positive integer and `bits` 8, 16 or 32.
    """

    size_bytes: int
    bits: Bits = 8

    def __post_init__(self) -> None:
        if type(self.size_bytes) is not int or self.size_bytes < 1:
            raise OptionError(f"budget: bytes must be a positive integer, not {self.size_bytes!r}")
        if type(self.bits) is not int or self.bits not in get_args(Bits):
            raise OptionError(f"budget: bits must be 8, 16 or 32, not {self.bits!r}")

    def to_json(self) -> dict[str, int]:
        """Plain JSON values."""
        return {"size_bytes": self.size_bytes, "bits": self.bits}

    @classmethod
    def from_json(cls, data: object) -> Budget:
        """Inverse of `to_json`; raises OptionError for anything else."""
        if not isinstance(data, dict) or set(data) != {"size_bytes", "bits"}:
            raise OptionError(f"budget: fields must be size_bytes and bits, got {data!r}")
        return cls(data["size_bytes"], cast(Bits, data["bits"]))


def parse_size(text: str) -> int:
    """Bytes of a size as people write it: "3MB" is 3,000,000 (decimal units, as disks count).

    Raises OptionError for anything else, binary units and fractions of a byte included.
    """
    match = _SIZE.fullmatch(text.strip().replace("_", "").lower())
    if match is None or match[3] not in _UNITS:
        raise OptionError(
            f"size {text!r} is not understood: write for example 3MB, 850kB or 3000000"
        )
    whole, fraction, unit = match[1], match[2] or "", _UNITS[match[3]]
    scale: int = 10 ** len(fraction)
    size, rest = divmod(int(whole + fraction) * unit, scale)
    if rest or size < 1:
        raise OptionError(f"size {text!r} is not a whole, positive number of bytes")
    return size
