"""Writing tensors: what safetensors raises where the system refuses, as our own error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from codewren_runtime.errors import OptionError

__all__ = ["writing"]


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise OptionError in one line where tensors cannot be written to `path`: a full disk, say."""
    try:
        yield
    except SafetensorError as error:
        raise OptionError(f"{path}: cannot be written ({error})") from error
