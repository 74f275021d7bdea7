"""What the tests of benchmarks share: run one, read what it left, and write the report of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def run(script: str, *arguments: object) -> None:
    subprocess.run([sys.executable, BENCHMARKS / script, *map(str, arguments)], check=True)


def read(folder: Path) -> dict[str, Any]:
    """The JSON files of a folder by their names; each has its plot."""
    for path in folder.glob("*.json"):
        assert path.with_suffix(".png").stat().st_size > 0
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def report(results: Path) -> str:
    run("report.py", "--results", results, "--out", results / "REPORT.md")
    return (results / "REPORT.md").read_text()
