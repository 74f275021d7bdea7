"""Judge every function of a source tree: files, answers, findings, reports."""

from __future__ import annotations

from importlib.util import find_spec

from codewren_runtime.errors import MissingExtraError

for _module in ("pathspec", "platformdirs", "tree_sitter"):
    if find_spec(_module) is None:
        raise MissingExtraError("scan", _module.replace("_", "-"))
