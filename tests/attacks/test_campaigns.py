"""The campaigns of attacks/, some hundreds of each: nothing escapes, crashes or hangs."""

from __future__ import annotations

import importlib.util
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
    outcomes = json.loads(out.read_text())[f"{what} from single, pair"]["outcomes"]
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


ODD = {
    "single": ("braces", "lone surrogates", "a function from right to left"),
    "pair": ("small functions",),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_texts_are_answered_or_refused(
    kind: str, wren: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "texts.json"
    texts = [argument for text in ODD[kind] for argument in ("--kind", text)]
    done = _run("texts.py", "--bundle", wren(kind), "--megabytes", 0.05, *texts, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads(out.read_text())
    cases = written["bundles"][kind]
    assert written["outcomes"]["failed"] == 0
    assert {case["way"] for case in cases} == {"model", "predict", "scan", "edit"}
    assert len(cases) == 4 * len(ODD[kind])
    assert all(case["cpu_seconds"] > 0 and case["peak_bytes"] > 10_000_000 for case in cases)


@pytest.mark.parametrize(
    ("code", "limits", "said"),
    [
        ("raise KeyError('x')", {}, "KeyError"),
        ("import os; os.abort()", {}, "exit status -6"),
        ("import sys; sys.exit('two\\nlines')", {}, "two"),
        ("print(1); x = bytearray(10**8)", {"peak_bytes": 10**8}, ""),
        ("while True: pass", {"cpu_seconds": 1}, "exit status -9"),
    ],
)
def test_a_process_that_misbehaves_has_failed(
    code: str, limits: dict[str, int], said: str, tmp_path: Path
) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(ATTACKS)!r})
from pathlib import Path
import texts
texts.LIMITS |= {limits!r}
texts.WAYS["x"] = (lambda case: ["-c", {code!r}]), None
print(texts.outcome("x", texts.Case(Path("b"), "braces", 1, Path("a.c"))))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "'outcome': 'failed'" in done.stdout, done.stdout
    assert said in done.stdout


@pytest.fixture
def atheris() -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("NOT CHECKED: atheris is not installed, nothing is fuzzed by coverage")


@pytest.mark.usefixtures("atheris")
def test_inputs_led_by_coverage_are_refused_or_work(
    wren: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "guided.json"
    done = _run("guided.py", "--seconds", 1, "--bundle", wren("single"), "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = json.loads(out.read_text())
    del parts["schema"]
    assert set(parts) == {"bundle", "manifest", "graph", "tokenizer", "data", "recipe"}
    for part in parts.values():
        assert part["findings"] == {}
        assert part["executions"] == part["accepted"] + part["refused"] > 100
        assert part["accepted"] > 0
        assert part["branches"] > 50


@pytest.mark.usefixtures("atheris")
def test_coverage_leads_to_a_finding_that_is_kept(tmp_path: Path) -> None:
    """A reader that raises behind four bytes that chance alone would hardly guess, and dies."""
    script = f"""
import os, sys
sys.path.insert(0, {str(ATTACKS)!r})
from pathlib import Path
import atheris, guided
from codewren_runtime.errors import DataError

@atheris.instrument_func
def read(data, folder):
    if data[:1] == b"W":
        if data[1:2] == b"r":
            if data[2:3] == b"e":
                if data[3:4] == b"n":
                    raise KeyError("wren")
                if data[3:4] == b"N":
                    os.abort()
    raise DataError("one line")

aim = guided.Aim([b"aaaa"], lambda rng, data: data, read)
print(guided.campaign("x", aim, 6, 0, Path({str(tmp_path)!r}))["findings"])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "KeyError: 'wren'" in done.stdout or "KeyError: 'wren'" in done.stdout
    assert "deadly signal" in done.stdout
    kept = [path.read_bytes()[:4] for path in tmp_path.iterdir()]
    assert {b"Wren", b"WreN"} <= set(kept)


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
