"""The house rules: imports run one way, and what the docs promise is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {
    "codewren": "compressor",
    "codewren_distill": "distill",
    "codewren_export": "export",
    "codewren_runtime": "runtime",
}
MAY_IMPORT = {
    "codewren": {"codewren", "codewren_distill", "codewren_export", "codewren_runtime"},
    "codewren_distill": {"codewren_distill", "codewren_runtime"},
    "codewren_export": {"codewren_export", "codewren_runtime"},
    "codewren_runtime": {"codewren_runtime"},
}
LONGEST_FILE = 320


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", FOLDERS)
def test_imports_run_one_way(package: str) -> None:
    files = sorted((ROOT / FOLDERS[package] / package).rglob("*.py"))
    assert files
    for path in files:
        ours = {name for name in _imports(path) if name in FOLDERS}
        assert ours <= MAY_IMPORT[package], path


def test_only_export_imports_optimum() -> None:
    for package, folder in FOLDERS.items():
        if package != "codewren_export":
            for path in (ROOT / folder).rglob("*.py"):
                assert not _imports(path) & {"optimum", "onnx"}, path


def test_help_is_quick_since_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from codewren.cli.app import app; "
        "print([m for m in ('torch', 'numpy', 'transformers', 'onnxruntime', 'deap', 'matplotlib',"
        " 'pygls') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_stay_small() -> None:
    for folder in (*FOLDERS.values(), "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= LONGEST_FILE, path


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md"])
def test_files_named_in_the_docs_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / target).exists(), target
    for path in re.findall(
        r"`((?:compressor|distill|export|runtime|benchmarks|recipes|docs)/[\w./-]+)`", text
    ):
        assert (ROOT / path).exists(), path
