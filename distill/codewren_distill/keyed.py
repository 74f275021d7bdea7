"""Arrays by the hash of what they are of, in one safetensors file: what a teacher left behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from codewren_distill.tensors import writing
from codewren_runtime.errors import DataError
from codewren_runtime.files import atomic_path

__all__ = ["load_keyed", "save_keyed"]

ABOUT = "about"


def save_keyed(
    path: Path, name: str, rows: Mapping[bytes, NDArray[Any]], header: Mapping[str, str]
) -> None:
    """Write atomically: `keys` (n, 32) uint8, and `name` (n, …), which are alike in shape."""
    keys = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 32)
    with writing(path), atomic_path(path) as temporary:
        # One entry of metadata: safetensors writes several in another order every time.
        about = {ABOUT: json.dumps(header, sort_keys=True)}
        save_file({"keys": keys, name: np.stack(list(rows.values()))}, temporary, about)


def load_keyed(
    path: Path, name: str, what: str, remedy: str
) -> tuple[dict[str, str], dict[bytes, NDArray[Any]]]:
    """The header and the rows that `save_keyed` wrote.

    Raises DataError in one line, with `what` they are and the `remedy`, for a file that is
    missing or damaged, or holds values that are not numbers.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            header = json.loads((stream.metadata() or {})[ABOUT])
            keys, rows = stream.get_tensor("keys"), stream.get_tensor(name)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no {what} there; run {remedy} first") from error
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise DataError(f"{path}: damaged {what} ({error}); run {remedy} --force") from error
    if keys.shape != (len(rows), 32):
        raise DataError(f"{path}: damaged {what} (shapes disagree); run {remedy} --force")
    if not np.isfinite(rows).all():
        raise DataError(f"{path}: {what} hold values that are not numbers; mend the teacher")
    return header, {key.tobytes(): row for key, row in zip(keys, rows, strict=True)}
