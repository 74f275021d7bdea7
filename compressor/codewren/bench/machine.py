"""What figures were taken on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from codewren.latency.cpu import cpu_name

__all__ = ["machine"]

LIBRARIES = ("numpy", "onnxruntime", "tokenizers", "torch", "transformers")


def machine() -> dict[str, Any]:
    """CPU, cores, load of the last minute, system, Python, and the libraries that are there."""
    found = {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
