"""Small trees."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewren.progress import Silent
from codewren.verbs.scan import ScanResult, ScanSettings, scan

SOURCES = {
    "src/one.c": "int first(int a)\n{\n  return a + 1;\n}\n\nint second(void) { return 2; }\n",
    "src/two words/b.cpp": "struct A { int m() const { return 1; } };\n",
    "src/C.java": "class C { int get() { return 7; } }\n",
    "src/d.py": "class D:\n    def e(self):\n        return 5\n",
    "src/e.js": "const f = (a) => { return a; };\n",
    "src/f.ts": "function f(a: number): number { return a; }\n",
    "src/g.tsx": "const G = () => <div/>;\n",
    "src/h.go": "package h\nfunc H() int { return 1 }\n",
    "src/i.rs": "fn i(a: i32) -> i32 { a }\n",
    "README.md": "int no_source(void) { return 0; }\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of each language; the current folder is its root."""
    root = tmp_path / "a tree"
    for name, text in SOURCES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(root)
    return root


Scan = Callable[..., ScanResult]


@pytest.fixture
def scan_tree(tree: Path, wren: Callable[[str], Path], tmp_path: Path) -> Scan:
    """Scans the tree; everything is flagged unless a threshold is given."""

    def run(*paths: str, kind: str = "single", **settings: Any) -> ScanResult:
        given = {"label": "vulnerable", "threshold": 0.0, "cache": tmp_path / "cache", **settings}
        names = paths or (".",)
        return scan([Path(p) for p in names], ScanSettings(wren(kind), **given), Silent())

    return run


Compress = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def compress_scan(tree: Path, wren: Callable[[str], Path], tmp_path: Path) -> Compress:
    """Runs `compress scan` in the tree, as a user does."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable, "-W", "error", "-m", "codewren", "scan", "--bundle",
            str(wren("single")), "--cache", str(tmp_path / "cache"), *arguments,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    return run
