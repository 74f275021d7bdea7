"""Full disks, limits and clocks: what was there stays, and the refusal is one line."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from codewren_distill.checkpoint import Position, restore, store
from codewren_distill.soft_labels import SoftLabels
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json, write_json
from codewren_runtime.types import Example

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and mounts as on Linux")

BYTES = 40_000


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={BYTES}", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("NOT CHECKED: this machine allows no mount; the limit of file size is checked")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def small_files(tmp_path: Path) -> Iterator[Path]:
    """A folder in a process whose files may have 40 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, before[1]))
    yield tmp_path
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(params=["full_disk", "small_files"])
def cramped(request: pytest.FixtureRequest) -> Path:
    """Where 40 kB can be written, by either of the two."""
    place: Path = request.getfixturevalue(request.param)
    return place


def test_json_that_does_not_fit_leaves_what_was_there(cramped: Path) -> None:
    path = cramped / "report.json"
    write_json(path, {"rows": [1]})
    with pytest.raises(OptionError, match=r"report\.json: cannot be written") as caught:
        write_json(path, {"rows": ["x" * 100] * 2_000})
    assert "\n" not in str(caught.value)
    assert read_json(path) == {"rows": [1]}
    assert [name.name for name in cramped.iterdir() if "report" in name.name] == ["report.json"]


def test_tensors_that_do_not_fit_leave_what_was_there(cramped: Path) -> None:
    path = cramped / "soft_labels.safetensors"
    soft = SoftLabels("t", ("a", "b"), {})
    examples = [Example(f"f{i}") for i in range(2_000)]
    soft.add(examples[:10], np.zeros((10, 2), np.float32))
    soft.save(path)
    soft.add(examples, np.ones((2_000, 2), np.float32))
    with pytest.raises(OptionError, match="cannot be written"):
        soft.save(path)
    assert len(SoftLabels.load(path).logits) == 10

    model = torch.nn.Linear(10, 10)
    large = torch.nn.Linear(200, 200)
    state = cramped / "state.safetensors"
    store(state, model, torch.optim.AdamW(model.parameters()), Position(3, 1.0), "me", {})
    with pytest.raises(OptionError, match="cannot be written"):
        store(state, large, torch.optim.AdamW(large.parameters()), Position(4, 1.0), "me", {})
    kept, _ = restore(state, model, torch.optim.AdamW(model.parameters()), "me")
    assert kept == Position(3, 1.0)


def test_a_scan_whose_report_does_not_fit_says_so_in_one_line(
    full_disk: Path, wren: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "a.c").write_text("int f(void) { return 1; }\n" * 300)
    report = full_disk / "found.sarif"
    report.write_text("the last report")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "codewren", "scan", str(tmp_path / "a.c"), "--quiet",
         "--bundle", str(wren("single")), "--label", "safe", "--threshold", "0", "--explain", "0",
         "--cache", str(full_disk / "cache"), "--sarif", str(report)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done
    assert "found.sarif: cannot be written (No space left on device)" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert report.read_text() == "the last report"


def test_no_decision_hangs_on_a_clock_that_may_be_set() -> None:
    """Times of files, and of the day, go backwards; hashes and monotonic clocks do not."""
    for folder in ("compressor", "distill", "export", "runtime"):
        for path in (ROOT / folder).rglob("*.py"):
            found = re.search(r"\.st_mtime|getmtime|time\.time\(|datetime\.now", path.read_text())
            assert found is None, f"{path}: {found}"


def test_a_step_is_finished_whatever_the_dates_of_its_files(tmp_path: Path) -> None:
    from codewren.run_directory import Step

    step = Step("label", tmp_path / "soft_labels.json", {"data": "abc"})
    step.finish({"examples": 3})
    for date in (0, 2**33):
        os.utime(step.marker, (date, date))
        assert step.result() is not None


@pytest.mark.slow
def test_what_a_machine_does_to_a_verb_is_told_in_one_line_and_undone(tmp_path: Path) -> None:
    script, out = ROOT / "attacks" / "moments.py", tmp_path / "moments.json"
    verbs = [f"--verb={verb}" for verb in ("label", "distill", "export", "scan")]
    done = subprocess.run(
        [sys.executable, script, "--count", "1", *verbs, "--out", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    ways = json.loads(out.read_text())["ways"]
    if os.geteuid() != 0:
        pytest.skip("NOT CHECKED: full disks, read-only ones and no network want the superuser")
    assert ways.keys() == {
        "interrupt", "terminate", "full-disk", "read-only", "second", "no-network",
    }  # fmt: skip
    assert all(row["took_effect"] for row in ways["read-only"].values())
