"""How many bytes may ship, at which precision, and how long a prediction may take."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Literal, get_args

from codewren_runtime.errors import OptionError

__all__ = ["Bits", "Budget", "parse_latency", "parse_size"]

Bits = Literal[8, 16, 32]

_UNITS = {"": 1, "b": 1, "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}
_SIZE = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?\s*([a-z]*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Budget:
    """A hard limit on the bytes of everything that ships, at `bits` per weight.

    `latency_ms`, if given, limits the median latency of one prediction as well; a predicted
    latency counts as larger by the share `latency_margin`, since an optimum under a limit is
    found where the prediction errs on the low side.
    `reserved_bytes` of them are kept for what ships beside the encoder.
    Raises OptionError unless `size_bytes` is a positive integer, `bits` 8, 16 or 32, and
    `latency_ms` a positive number.
    """

    size_bytes: int
    bits: Bits = 8
    latency_ms: float | None = None
    latency_margin: float = 0.0
    reserved_bytes: int = 0

    def __post_init__(self) -> None:
        if type(self.size_bytes) is not int or self.size_bytes < 1:
            raise OptionError(f"budget: bytes must be a positive integer, not {self.size_bytes!r}")
        if type(self.bits) is not int or self.bits not in get_args(Bits):
            raise OptionError(f"budget: bits must be 8, 16 or 32, not {self.bits!r}")
        latency = self.latency_ms
        if latency is not None and not (type(latency) in (int, float) and 0 < latency < inf):
            raise OptionError(f"budget: latency must be positive milliseconds, not {latency!r}")
        margin = self.latency_margin
        if not (type(margin) in (int, float) and 0 <= margin < inf):
            raise OptionError(f"budget: latency margin must be a share from 0, not {margin!r}")

        if type(self.reserved_bytes) is not int or not 0 <= self.reserved_bytes < self.size_bytes:
            raise OptionError(
                f"budget: of {self.size_bytes:,} bytes, {self.reserved_bytes!r} cannot be reserved "
                "for n-grams; take fewer of them, or more bytes"
            )

    @property
    def encoder_bytes(self) -> int:
        """What is left for the encoder, its tokenizer and the manifest."""
        return self.size_bytes - self.reserved_bytes

    @property
    def predicted_limit_ms(self) -> float:
        """What a predicted latency may be; infinite without a limit."""
        return inf if self.latency_ms is None else self.latency_ms / (1 + self.latency_margin)

    def to_json(self) -> dict[str, int | float | None]:
        """Plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Budget:
        """Inverse of `to_json`, without a latency too; OptionError for anything else."""
        names = [field.name for field in fields(cls)]
        if not isinstance(data, dict) or not {"size_bytes", "bits"} <= set(data) <= set(names):
            raise OptionError(f"budget: fields must be {', '.join(names)}; got {data!r:.100}")
        return cls(**data)


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


_LATENCY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(us|ms|s)", re.ASCII)


def parse_latency(text: str) -> float:
    """Milliseconds of a time as people write it: "5ms", "800us", "0.01s".

    Raises OptionError for anything else.
    """
    match = _LATENCY.fullmatch(text.strip().lower())
    milliseconds = float(match[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[match[2]] if match else 0
    if not milliseconds:
        raise OptionError(f"latency {text!r} is not understood: write for example 5ms or 800us")
    return milliseconds
