"""Run a bundle: `load("model.wren").predict(code)`.

Needs numpy, onnxruntime and tokenizers, and imports them only when a model is loaded, so
that a program which merely uses the types starts at once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from codewren_runtime.errors import BundleError, CodewrenError, OptionError
from codewren_runtime.types import Architecture, Example, Prediction, Task

if TYPE_CHECKING:
    from codewren_runtime.bundle import Bundle, Manifest, read_bundle
    from codewren_runtime.decision import Decision, LongInputs
    from codewren_runtime.model import Model, load

__all__ = [
    "Architecture",
    "Bundle",
    "BundleError",
    "CodewrenError",
    "Decision",
    "Example",
    "LongInputs",
    "Manifest",
    "Model",
    "OptionError",
    "Prediction",
    "Task",
    "load",
    "read_bundle",
]

# Before anything imports onnxruntime: from 1.32 on its wheels would note each graph that is opened
# in a database in the user's cache, and send it to Microsoft. Whoever wants that says 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOME = {
    "Bundle": "bundle",
    "Manifest": "bundle",
    "read_bundle": "bundle",
    "Decision": "decision",
    "LongInputs": "decision",
    "Model": "model",
    "load": "model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
