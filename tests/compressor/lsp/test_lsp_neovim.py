"""The documented snippet in a real, headless Neovim."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs" / "editors.md"
SESSION = Path(__file__).with_name("nvim_session.lua")
CODE = """
int add(int a, int b) {
    return a + b;
}

/* 😋 */ int mul(int a, int b) {
    return a * b;
}
"""


def snippet() -> str:
    """The documented configuration, with a threshold that shows all."""
    section = DOCS.read_text(encoding="utf-8").split("## Neovim")[1]
    found = re.search(r"```lua\n(.*?)```", section, re.DOTALL)
    assert found is not None
    assert found[1].count("threshold = 0.5") == 1
    return found[1].replace("threshold = 0.5", "threshold = 0")


def test_the_documented_snippet_works_in_neovim(
    tmp_path: Path, wren: Callable[[str], Path]
) -> None:
    nvim = shutil.which("nvim")
    if nvim is None:
        pytest.skip("nvim is absent: the editor server is not tried in a real editor")
    folder = tmp_path / "with space"
    (tmp_path / "models").mkdir()
    (tmp_path / "bin").mkdir()
    folder.mkdir()
    shutil.copy(wren("single"), tmp_path / "models" / "model.wren")
    compress = tmp_path / "bin" / "compress"
    compress.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m codewren "$@"\n')
    compress.chmod(0o755)
    (folder / "a.c").write_text(CODE, encoding="utf-8")
    (folder / "init.lua").write_text(snippet(), encoding="utf-8")
    paths = [folder / "init.lua", folder / "a.c", folder / "seen.json"]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CODEWREN_TEST": "\n".join(map(str, paths)),
    }
    done = subprocess.run(
        [nvim, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-S", str(SESSION)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert paths[2].exists(), done.stderr
    seen = json.loads(paths[2].read_text(encoding="utf-8"))

    first, second = seen["first"], seen["second"]
    assert [d["message"].split(":")[0] for d in first] == ["add", "mul"]
    assert [(d["lnum"], d["source"]) for d in first] == [(1, "codewren"), (5, "codewren")]
    # Neovim counts bytes: the name stands where the source has it.
    line = CODE.splitlines()[5].encode()
    assert line[first[1]["col"] : first[1]["end_col"]] == b"mul"
    assert second[0]["message"] != first[0]["message"]
    assert second[1]["message"] == first[1]["message"]
    assert second[1]["lnum"] == 6
    assert second[0]["message"].split(": ")[1].split(",")[0] in seen["hover"]["contents"]["value"]
