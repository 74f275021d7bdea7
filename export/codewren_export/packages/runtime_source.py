"""The runtime's own source, under another package's name."""

from __future__ import annotations

import ast
import re
from importlib.resources import files

__all__ = ["runtime_source"]

RUNTIME = "codewren_runtime"
ROOTS = ("__init__", "model")
IMPORT = re.compile(rf"^(\s*(?:from|import) ){RUNTIME}\b", re.MULTILINE)


def runtime_source(package: str) -> dict[str, str]:
    """The modules that `Model` needs, as texts by file name, importing each other as `package`.

    So a wheel needs no package index that has codewren, and two wheels of different versions
    live side by side.
    """
    found: dict[str, str] = {}
    wanted = list(ROOTS)
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = (files(RUNTIME) / f"{name}.py").read_text(encoding="utf-8")
            wanted += _needs(found[name])
    return {f"{name}.py": IMPORT.sub(rf"\g<1>{package}", found[name]) for name in sorted(found)}


def _needs(source: str) -> list[str]:
    """The runtime's modules that a source imports."""
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom))
    modules = (node.module or "" for node in nodes)
    return [name.split(".")[1] for name in modules if name.startswith(f"{RUNTIME}.")]
