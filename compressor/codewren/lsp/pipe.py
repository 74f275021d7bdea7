"""What the editor sends, bounded: a length that lies must not take all memory."""

from __future__ import annotations

from io import BufferedReader

from codewren_runtime.errors import DataError

__all__ = ["BoundedPipe"]

MOST_HEADER_BYTES = 1_000
# A document of the 100,000,000 characters that `maxSize` allows, each escaped.
MOST_MESSAGE_BYTES = 1_000_000_000


class BoundedPipe:
    """The two ways in which pygls reads a pipe.

    Both raise DataError in one line where the editor keeps to no protocol: what would come after
    it cannot be told from it.
    """

    def __init__(self, pipe: BufferedReader) -> None:
        self._pipe = pipe

    def readline(self) -> bytes:
        """A line of a header."""
        line = self._pipe.readline(MOST_HEADER_BYTES + 1)
        if len(line) > MOST_HEADER_BYTES:
            raise DataError(f"the editor sent a header of over {MOST_HEADER_BYTES:,} bytes")
        return line

    def read(self, count: int) -> bytes:
        """A message."""
        if count > MOST_MESSAGE_BYTES:
            raise DataError(
                f"the editor announced a message of {count:,} bytes; at most "
                f"{MOST_MESSAGE_BYTES:,} are read"
            )
        return self._pipe.read(count)
