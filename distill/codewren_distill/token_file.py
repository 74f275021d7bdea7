"""Token ids of any number of texts in a file: memory holds only where each of them ends.

ids    the ids one after the other: uint16, or uint32 where the vocabulary is larger
ends   int64: how many ids there are up to the end of each sequence; written after its ids
key    what was encoded by which tokenizer, as a hash: another key's files are begun anew
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from codewren_distill.text_side import Encoded, Tokenizes
from codewren_runtime.errors import OptionError
from codewren_runtime.files import write_bytes
from codewren_runtime.lazy import Lazy
from codewren_runtime.types import Example

__all__ = ["TokenFile", "token_file"]

IDS, ENDS, KEY = "tokens.ids", "tokens.ends", "tokens.key"
BLOCK = 2_048  # rows between two writes


class TokenFile(Lazy[Encoded]):
    """Encoded rows of a folder that `token_file` wrote, each of `sides` sequences of ids.

    A row is read when it is asked for. `lengths` (rows,) are of the longest sequence of each.
    """

    def __init__(self, folder: Path, sides: int, dtype: type[np.unsignedinteger]) -> None:
        self._path, self._dtype = folder / IDS, np.dtype(dtype)
        ends = np.fromfile(folder / ENDS, dtype=np.int64)
        self._ends = np.concatenate((np.zeros(1, np.int64), ends))
        self._sides = sides
        self.lengths: NDArray[np.int64] = np.diff(self._ends).reshape(-1, sides).max(1)

    def __len__(self) -> int:
        return len(self.lengths)

    def at(self, place: int) -> Encoded:
        """The row, read from the file."""
        first = place * self._sides
        ends = self._ends[first : first + self._sides + 1]
        # Opened for each row: no handle to close, and a row costs far less than what reads it.
        with self._path.open("rb") as stream:
            stream.seek(int(ends[0]) * self._dtype.itemsize)
            data = stream.read(int(ends[-1] - ends[0]) * self._dtype.itemsize)
        ids = np.frombuffer(data, self._dtype)
        return tuple(tuple(part.tolist()) for part in np.split(ids, ends[1:-1] - ends[0]))


class TextSide(Protocol):
    """What reads examples: `codewren_distill.text_side` has two, data flow is another."""

    @property
    def tokenizer(self) -> Tokenizes:
        """Whose ids they are."""
        ...

    def encode(self, example: Example) -> Encoded:
        """The sequences of ids of a row, as many of each."""
        ...


def token_file(folder: Path, key: str, text: TextSide, examples: Sequence[Example]) -> TokenFile:
    """The rows of `examples`, at least one, as `text` encodes them.

    What a killed run left in `folder` under the same `key` is kept. Raises OptionError in one
    line where the folder cannot be written.
    """
    sides = len(text.encode(examples[0]))
    dtype = np.uint16 if text.tokenizer.vocab_size <= 1 << 16 else np.uint32
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = _kept(folder, key, sides, np.dtype(dtype).itemsize)
        with (folder / IDS).open("ab") as stream, (folder / ENDS).open("ab") as ends:
            total = stream.tell() // np.dtype(dtype).itemsize
            for begin in range(done, len(examples), BLOCK):
                block = range(begin, min(begin + BLOCK, len(examples)))
                sequences = [ids for at in block for ids in text.encode(examples[at])]
                counts = total + np.cumsum([len(one) for one in sequences], dtype=np.int64)
                stream.write(b"".join(np.array(one, dtype).tobytes() for one in sequences))
                stream.flush()
                ends.write(counts.tobytes())
                ends.flush()
                total = int(counts[-1])
    except OSError as error:
        raise OptionError(
            f"{folder}: cannot be written ({error.strerror or error}); make room and start again"
        ) from error
    return TokenFile(folder, sides, dtype)


def _kept(folder: Path, key: str, sides: int, size: int) -> int:
    """How many whole rows of this key are there already; what follows them is cut off."""
    ids, ends, mark = folder / IDS, folder / ENDS, folder / KEY
    known = mark.read_bytes() if mark.is_file() else b""
    rows = ends.stat().st_size // (8 * sides) if ends.is_file() and ids.is_file() else 0
    last = 0
    if rows and known == key.encode():
        with ends.open("rb") as stream:
            stream.seek(8 * (rows * sides - 1))
            last = int(np.frombuffer(stream.read(8), np.int64)[0])
    if not rows or known != key.encode() or ids.stat().st_size < last * size:
        mark.unlink(missing_ok=True)
        ids.write_bytes(b"")
        ends.write_bytes(b"")
        write_bytes(mark, key.encode())
        return 0
    os.truncate(ends, 8 * rows * sides)
    os.truncate(ids, last * size)
    return rows
