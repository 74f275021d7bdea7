"""predict: a bundle's answers for source files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codewren_runtime import Model, load
from codewren_runtime.errors import DataError, OptionError

__all__ = ["predict_files", "read_source"]

STDIN = "-"
MAX_BYTES = 50_000_000


def predict_files(bundle: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    """One answer per file, or per two files for a pair model."""
    model = load(bundle)
    if model.task.kind != "pair":  # one of embeddings says itself what it is for
        return [_answer(model, (path,)) for path in files]
    if len(files) % 2:
        raise OptionError(
            f"{bundle}: compares two codes; give files two by two, {len(files)} were given"
        )
    return [_answer(model, pair) for pair in zip(files[::2], files[1::2], strict=True)]


def read_source(path: Path) -> str:
    """The text of a source file, or of stdin for `-`; DataError in one line if it has none."""
    if str(path) == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file") from error
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > MAX_BYTES:
        raise DataError(
            f"{path}: over {MAX_BYTES // 1_000_000} MB; give one function or file of code"
        )
    if b"\0" in data:
        raise DataError(f"{path}: is a binary file; give a file of source code")
    text = data.decode("utf-8", "replace")
    if not text.strip():
        raise DataError(f"{path}: is empty; give a file of source code")
    return text


def _answer(model: Model, paths: Sequence[Path]) -> dict[str, Any]:
    texts = [read_source(path) for path in paths]
    prediction = model.predict(texts[0]) if len(texts) == 1 else model.predict_pair(*texts)
    return {
        "files": [str(path) for path in paths],
        "label": prediction.label,
        "probability": prediction.probability,
        "probabilities": dict(prediction.probabilities),
        "threshold": model.manifest.decision.threshold,
        "calibrated": bool(model.manifest.decision.calibration),
    }
