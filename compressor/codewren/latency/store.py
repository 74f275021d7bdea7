"""Where latency models are kept: one file per CPU and onnxruntime version."""

from __future__ import annotations

import os
import re
from importlib.metadata import version
from pathlib import Path

from codewren.latency.cpu import cpu_name
from codewren.latency.model import LatencyModel
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json, write_json

__all__ = ["load_model", "model_path", "runtime_version", "save_model"]


def runtime_version() -> str:
    """The version of onnxruntime, whose kernels are what is timed."""
    return version("onnxruntime")


def model_path() -> Path:
    """The file of this CPU's model: in $XDG_CACHE_HOME or ~/.cache, folder codewren."""
    root = os.environ.get("XDG_CACHE_HOME")
    folder = Path(root) if root else Path.home() / ".cache"
    name = re.sub(r"[^A-Za-z0-9]+", "-", cpu_name()).strip("-")
    return folder / "codewren" / f"latency-{name}-onnxruntime-{runtime_version()}.json"


def save_model(path: Path, model: LatencyModel) -> None:
    """Write a model; OptionError where the file cannot be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, model.to_json())


def load_model(path: Path | None = None) -> LatencyModel | None:
    """The model of this CPU, None if there is none yet; or that in `path`, for another CPU.

    Raises OptionError if the file is damaged, or `path` is given and not there.
    """
    if path is None:
        path = model_path()
        if not path.is_file():
            return None
    try:
        return LatencyModel.from_json(read_json(path))
    except OptionError as error:
        hint = "" if str(path) in str(error) else f"{path}: "
        raise OptionError(f"{hint}{error}") from error
