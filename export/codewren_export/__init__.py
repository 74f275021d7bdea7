"""From a trained model to a bundle: ONNX, small weights, gates, one file; and to packages of it.

`codewren_export.packages` needs no torch; all else needs the extra, and asks for it by name. Of the
extra optimum, which knows no new transformers, is for writing a bundle alone.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from codewren_runtime.errors import MissingExtraError

if TYPE_CHECKING:
    from codewren_export.exportable import Exportable
    from codewren_export.exporter import AUTO, STAGES, ExportReport, export_bundle
    from codewren_export.quantise import QUANTS, Quant

__all__ = ["AUTO", "QUANTS", "STAGES", "ExportReport", "Exportable", "Quant", "export_bundle"]

_NEEDED = ("torch", "transformers", "onnx", "onnxruntime")
_HOME = {
    "Exportable": "exportable",
    "AUTO": "exporter",
    "STAGES": "exporter",
    "ExportReport": "exporter",
    "export_bundle": "exporter",
    "QUANTS": "quantise",
    "Quant": "quantise",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    for needed in (*_NEEDED, "optimum") if _HOME[name] == "exporter" else _NEEDED:
        if find_spec(needed) is None:
            raise MissingExtraError("export", needed)
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
