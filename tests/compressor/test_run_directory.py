from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codewren.run_directory import Run, Step, read_marker
from codewren.verbs.search import read_budget
from codewren_runtime.errors import OptionError
from codewren_runtime.files import atomic_path, write_json
from codewren_runtime.types import Task


def test_a_step_is_complete_only_with_the_same_inputs(tmp_path: Path) -> None:
    step = Step("label", tmp_path / "soft_labels.json", {"data": "abc"})
    assert step.result() is None
    step.finish({"examples": 3})
    done = step.result()
    assert done is not None
    assert done["examples"] == 3
    assert Step("label", step.marker, {"data": "abd"}).result() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": 99}', b'{"schema": 1}'])
def test_a_half_made_marker_is_not_believed(tmp_path: Path, content: bytes) -> None:
    marker = tmp_path / "m.json"
    marker.write_bytes(content)
    assert Step("x", marker, {}).result() is None


def test_force_redoes(tmp_path: Path) -> None:
    step = Step("x", tmp_path / "m.json", {})
    step.finish({})
    assert Run(tmp_path).finished(step) is not None
    assert Run(tmp_path, force=True).finished(step) is None


def test_two_on_one_run_directory(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from codewren.run_directory import Run\n"
        "with Run(Path(sys.argv[1])).locked(): pass"
    )
    with Run(tmp_path).locked():
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        assert "another compress is at work" in done.stderr
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)


def test_many_who_come_and_go_are_never_two_at_once(tmp_path: Path) -> None:
    """The lock's file goes with its holder, and must not let in who opened it just before."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from codewren.run_directory import Run\n"
        "from codewren_runtime.errors import OptionError\n"
        "run, times = Path(sys.argv[1]), 0\n"
        "while times < 100:\n"
        "    try:\n"
        "        with Run(run).locked():\n"
        "            os.close(os.open(run / 'one', os.O_CREAT | os.O_EXCL))\n"
        "            (run / 'one').unlink()\n"
        "            times += 1\n"
        "    except OptionError as error:\n"
        "        assert 'another compress is at work' in str(error), error\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    several = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [(one.communicate()[1], one.returncode) for one in several] == [("", 0)] * 4
    if sys.platform != "win32":
        assert not list(tmp_path.rglob(".lock"))


def test_a_refusal_leaves_no_lock_nor_does_who_comes_after_a_kill(tmp_path: Path) -> None:
    refused = Run(tmp_path / "refused")
    with contextlib.suppress(OptionError), refused.locked():
        raise OptionError("bad input")
    if sys.platform != "win32":
        assert not list(refused.folder.iterdir())
    code = (
        "import os, sys; from pathlib import Path; from codewren.run_directory import Run\n"
        "with Run(Path(sys.argv[1])).locked(): os._exit(9)"
    )
    killed = tmp_path / "killed"
    subprocess.run([sys.executable, "-c", code, str(killed)], check=False)
    assert [path.name for path in killed.iterdir()] == [".lock"]
    with Run(killed).locked():
        write_json(killed / "task.json", {})
    if sys.platform != "win32":
        assert [path.name for path in killed.iterdir()] == ["task.json"]


def test_a_run_keeps_its_task(tmp_path: Path) -> None:
    run = Run(tmp_path)
    task = Task("t", "single", ("a", "b"))
    run.set_task(task)
    run.set_task(task)
    assert run.task() == task
    with pytest.raises(OptionError, match="another --run"):
        run.set_task(Task("t", "single", ("a", "c")))


def test_a_marker_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    step = Step("search", tmp_path / "architecture.json", {})
    step.finish({"architecture": {"hidden_size": 96}, "odd": (1, 2.5, None)})
    assert step.result() is not None
    step.marker.write_text(step.marker.read_text().replace("96", "97"))
    assert step.result() is None
    with pytest.raises(OptionError, match="was changed"):
        read_marker(step.marker)


def test_a_marker_of_a_former_version_has_no_checksum(tmp_path: Path) -> None:
    step = Step("search", tmp_path / "architecture.json", {})
    write_json(step.marker, {"identity": step.identity, "inputs": {}, "seed": 3})
    assert step.result() is not None


def test_inputs_may_name_files_that_are_no_utf8(tmp_path: Path) -> None:
    step = Step("label", tmp_path / "m.json", {"teacher": os.fsdecode(b"caf\xe9")})
    step.finish({})
    assert step.result() is not None


@pytest.mark.parametrize(
    "budget", [None, 5, {}, {"size_bytes": 1000}, {"size_bytes": 1, "bits": 8, "x": 1}]
)
def test_a_budget_that_is_none_names_the_file_and_the_remedy(tmp_path: Path, budget: Any) -> None:
    write_json(tmp_path / "architecture.json", {"budget": budget})
    with pytest.raises(OptionError, match=r"architecture\.json.*run search --force"):
        read_budget(Run(tmp_path))


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path(os.devnull), Path("/dev/stdout")):
        with pytest.raises(OptionError, match="give the name of a file"), atomic_path(path):
            pass
    assert pipe.is_fifo()
