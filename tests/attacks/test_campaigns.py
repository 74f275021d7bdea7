"""The campaigns of attacks/, some hundreds of each: nothing escapes, crashes or hangs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ATTACKS = Path(__file__).resolve().parents[2] / "attacks"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and forks as on Linux")


def _run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ATTACKS / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )


@pytest.mark.parametrize(
    ("what", "count"), [("bundles", 300), ("data", 400), ("recipes", 400), ("tokenizer", 300)]
)
def test_mutated_inputs_are_refused_or_work(
    what: str, count: int, wren: Callable[[str], Path], tmp_path: Path
) -> None:
    bundles = [argument for kind in ("single", "pair") for argument in ("--bundle", wren(kind))]
    out = tmp_path / "fuzz.json"
    done = _run("fuzz.py", "--what", what, "--count", count, "--seed", 1, "--out", out, *bundles)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = json.loads(out.read_text())[what]["outcomes"]
    assert outcomes.pop("accepted") > 0
    assert outcomes.pop("refused") > count // 10
    assert not any(outcomes.values())
    assert len(done.stdout.splitlines()) == 1  # a library that prints would break a server's pipe


def test_a_finding_is_counted_and_kept(tmp_path: Path, wren: Callable[[str], Path]) -> None:
    """A reader that dies, hangs and raises on some inputs."""
    code = f"""
import os, sys, time
sys.path.insert(0, {str(ATTACKS)!r})
from pathlib import Path
import fuzz
from targets import Target
from codewren_runtime.errors import DataError

def read(number):
    if number == 3: os.abort()
    if number == 5: raise KeyError(number)
    if number == 7:
        while True: pass
    if number == 9: raise DataError("two\\nlines")
    if number == 11: bytearray(10**11)
    if number % 2: raise DataError("one line")

fuzz.CPU_SECONDS = 0.3
numbers = iter(range(10**6))
aim = Target(lambda rng, folder: int(folder.name), read, (DataError,))
fuzz._made = lambda aim, what, seed, number, folder: number
print(fuzz.campaign(aim, "x", 20, 0, Path({str(tmp_path)!r}))["outcomes"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(
        {"accepted": 10, "refused": 5, "escaped": 3, "crashed": 1, "hung": 1}
    ), done.stderr
    assert len(list(tmp_path.glob("x-0-*"))) == 5


@pytest.mark.slow
def test_a_killed_verb_ends_with_the_same_bytes(tmp_path: Path) -> None:
    done = _run("kills.py", "--count", 2, "--verb", "label", "--verb", "distill",
                "--verb", "scan", "--out", tmp_path / "kills.json")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    verbs = json.loads((tmp_path / "kills.json").read_text())["verbs"]
    assert {verb: row["differ"] for verb, row in verbs.items()} == {
        "label": 0,
        "distill": 0,
        "scan": 0,
    }
