"""The example of examples/pyinstaller/ builds, and its one file answers as the bundle does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from codewren_runtime import load

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_spec("PyInstaller") is None, reason="pyinstaller is not installed"),
]


def test_one_file_answers_as_the_bundle_does(
    tmp_path: Path, bundle_of: Callable[..., Path], functions: list[str]
) -> None:
    folder = tmp_path / "example"
    shutil.copytree(ROOT / "examples" / "pyinstaller", folder)
    shutil.copyfile(bundle_of("single"), folder / "model.wren")
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=WARN", "wren.spec"]
    path = os.pathsep.join([str(ROOT / "runtime"), os.environ.get("PYTHONPATH", "")])
    _run(command, folder, {**os.environ, "PYTHONPATH": path})
    program = folder / "dist" / "wren"
    assert program.stat().st_size < 80_000_000
    files = [tmp_path / f"{at}.py" for at in range(20)]
    for file, text in zip(files, functions, strict=False):
        file.write_text(text, encoding="utf-8")
    # No Python in sight: an empty environment, another folder.
    printed = _run([str(program), *map(str, files)], tmp_path, {"TMPDIR": str(tmp_path)})
    model = load(bundle_of("single"))
    answers = [model.predict(text) for text in functions[:20]]
    assert printed.splitlines() == [f"{a.label} {a.probability:.4f}" for a in answers]
    done = subprocess.run([str(program), "none"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
