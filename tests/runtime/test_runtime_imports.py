"""What the runtime imports is what an embedder pays for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HEAVY = {
    "torch", "transformers", "onnx", "optimum", "safetensors", "sklearn", "accelerate",
    "codewren", "codewren_distill", "codewren_export",
}  # fmt: skip
AT_LOAD = {"numpy", "onnxruntime", "tokenizers"}


def modules_after(code: str, *arguments: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    return set(result.stdout.split())


def test_importing_the_runtime_is_free() -> None:
    modules = modules_after("import codewren_runtime")
    assert not modules & (HEAVY | AT_LOAD)


def test_first_prediction_needs_the_base_install_only(wren: Callable[[str], Path]) -> None:
    code = "from codewren_runtime import load\nload(sys.argv[1]).predict('x = 1')"
    modules = modules_after(code, str(wren("single")))
    assert modules >= AT_LOAD
    assert not modules & HEAVY


def test_every_module_of_the_runtime_is_light() -> None:
    code = (
        "import pkgutil, importlib, codewren_runtime as r\n"
        "for m in pkgutil.iter_modules(r.__path__):\n"
        "    importlib.import_module(f'{r.__name__}.{m.name}')"
    )
    assert not modules_after(code) & HEAVY
