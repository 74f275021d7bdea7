"""From a trained model to a bundle: ONNX, small weights, gates, one file."""

from __future__ import annotations

from importlib.util import find_spec

from codewren_runtime.errors import MissingExtraError

for _name in ("torch", "transformers", "onnx", "onnxruntime", "optimum"):
    if find_spec(_name) is None:
        raise MissingExtraError("export", _name)

# Only now: these import what was just looked for.
from codewren_export.exportable import Exportable  # noqa: E402
from codewren_export.exporter import STAGES, ExportReport, export_bundle  # noqa: E402

__all__ = ["STAGES", "ExportReport", "Exportable", "export_bundle"]
