"""Real processes that are stopped in the middle: one line, their status, nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codewren_runtime.temporary import TEMPORARY

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "attacks"))
from kills import COMMANDS, fingerprints, write_inputs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals as on Linux")

STATE = "run/search_state.json"


def started(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "codewren", *COMMANDS["search"], *more]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)


def finished(folder: Path, *more: str) -> tuple[int, str]:
    running = started(folder, *more)
    errors = running.communicate(timeout=120)[1]
    return running.returncode, errors


def in_the_middle(folder: Path, send: signal.Signals) -> tuple[int, str]:
    """How a search ends that gets `send` once it has begun."""
    running = started(folder)
    while running.poll() is None and not (folder / STATE).exists():
        time.sleep(0.001)
    running.send_signal(send)
    errors = running.communicate(timeout=120)[1]
    assert (folder / STATE).is_file(), "the search was over before the signal came"
    return running.returncode, errors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_inputs(tmp_path / "folder")
    return tmp_path / "folder"


@pytest.mark.parametrize(
    ("send", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_stopped_search_says_so_in_one_line_and_goes_on(
    folder: Path, send: signal.Signals, status: int, word: str
) -> None:
    assert finished(folder) == (0, "")
    whole = fingerprints(folder)
    for path in (folder / "run").iterdir():
        path.unlink()
    assert in_the_middle(folder, send) == (
        status,
        f"compress: {word}; the same command goes on where it was\n",
    )
    assert not list(folder.rglob(TEMPORARY))
    assert finished(folder) == (0, "")
    assert fingerprints(folder) == whole


def test_a_killed_search_with_other_settings_names_its_remedy(folder: Path) -> None:
    assert in_the_middle(folder, signal.SIGKILL)[0] == -signal.SIGKILL
    status, errors = finished(folder, "--size", "150kB")
    assert status == 2
    assert len(errors.splitlines()) == 1
    assert "other settings" in errors
    assert "--force" in errors
    assert finished(folder, "--size", "150kB", "--force") == (0, "")
    assert not (folder / STATE).exists()


def test_of_two_at_work_in_a_run_one_is_refused_and_the_other_ends_well(folder: Path) -> None:
    first = started(folder)
    while first.poll() is None and not (folder / STATE).exists():
        time.sleep(0.001)
    first.send_signal(signal.SIGSTOP)
    status, errors = finished(folder)
    first.send_signal(signal.SIGCONT)
    assert status == 2
    assert "another compress is at work there; wait for it or use another --run" in errors
    assert len(errors.splitlines()) == 1
    assert first.communicate(timeout=120)[1] == ""
    assert first.returncode == 0
    assert (folder / "run" / "architecture.json").is_file()


def test_ctrl_c_among_the_imports_is_one_line() -> None:
    code = (
        "import signal, sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "from codewren.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "compress: interrupted; the same command goes on where it was\n"


@pytest.mark.parametrize(("send", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_in_a_callback_is_not_lost(send: str, status: int) -> None:
    """Python prints and drops what is raised in a weak reference's callback."""
    code = (
        "import signal, sys, time, weakref\n"
        "from codewren.cli import app\n"
        "class Thing: pass\n"
        "def verb():\n"
        "    thing = Thing()\n"
        f"    reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.{send}))\n"
        "    del thing\n"
        "    time.sleep(20)\n"
        "app.app = verb\n"
        "app.main()\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
    assert done.returncode == status
    assert len(done.stderr.splitlines()) == 1
    assert "the same command goes on where it was" in done.stderr
