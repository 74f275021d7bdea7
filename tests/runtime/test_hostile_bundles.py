"""The abuse cases of attacks/, on a small bundle: each refused, all in bounded time and memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ATTACKS = Path(__file__).resolve().parents[2] / "attacks"
sys.path.insert(0, str(ATTACKS))

from cases import CASES  # noqa: E402

SECONDS, BYTES = 60, 3_000_000_000  # of CPU and address space, for all cases together


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused(
    name: str, wren: Callable[[str], Path], tmp_path: Path, refused: Callable[..., None]
) -> None:
    expected, write = CASES[name]
    with zipfile.ZipFile(wren("single")) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    folder = tmp_path / "attack"
    folder.mkdir()
    refused(write(parts, folder), expected)


def test_the_script_shows_every_refusal_within_bounds(wren: Callable[[str], Path]) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))

    done = subprocess.run(
        [sys.executable, "-W", "error", str(ATTACKS / "bundles.py"), str(wren("single"))],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert f"{len(CASES)} cases, 0 not refused" in done.stdout
