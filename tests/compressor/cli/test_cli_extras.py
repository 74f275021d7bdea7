"""The base install: what it does alone, and which extra the other verbs ask for, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# A process that has the base install alone: all else is hidden from its imports.
BASE = """
import sys
from importlib.machinery import PathFinder
HIDDEN = {"accelerate", "deap", "hatchling", "matplotlib", "onnx", "optimum", "pathspec",
          "platformdirs", "pygls", "safetensors", "scipy", "sklearn", "torch", "transformers",
          "tree_sitter"}
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *a: None if name.split(".")[0] in HIDDEN else find(name, *a)
from codewren.cli.app import main
sys.argv[0] = "compress"
main()
"""
MODEL = "vulnerability-c"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.c").write_text("int f(char *s)\n{\n  return s[0];\n}\n")
    rows = [{"func": f"int f{i}(int a) {{ return a + {i}; }}", "target": i % 2} for i in range(4)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def base(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BASE, *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("extra", "arguments"),
    [
        ("scan", ("scan", "a.c")),
        ("lsp", ("lsp", "--bundle", MODEL)),
        ("package", ("package", MODEL, "--kind", "wheel", "--name", "mine", "--out", "dist")),
        ("scan", ("bench", MODEL, "--data", "a.c")),
        ("search", ("bench", MODEL, "--data", "rows.jsonl", "--out", "bench")),
        ("scan", ("augment", "--data", "rows.jsonl", "--out", "more.jsonl")),
        ("search", ("attack", MODEL, "--data", "rows.jsonl")),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_verb_names_the_extra_that_it_needs(
    folder: Path, extra: str, arguments: tuple[str, ...]
) -> None:
    done = base(folder, *arguments)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.endswith(f"is not installed: run pip install 'codewren[{extra}]'"), done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", MODEL, "a.c"),
        ("evaluate", "--bundle", MODEL, "--data", "rows.jsonl"),
        ("bench", MODEL, "--data", "rows.jsonl", "--passes", "1", "--starts", "1"),
    ],
    ids=lambda value: value[0],
)
def test_the_base_install_is_enough(folder: Path, arguments: tuple[str, ...]) -> None:
    done = base(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
