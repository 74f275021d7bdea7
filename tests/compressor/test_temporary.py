"""Temporary names beside outputs: what killed writers left goes, what living ones hold stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codewren.run_directory import Run
from codewren_export.packages.folders import new_folder
from codewren_runtime.files import atomic_path, write_bytes

KILLED = """
import os, sys
from pathlib import Path
from codewren_runtime.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os._exit(9)
"""


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "student" / "model.safetensors"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert len(list(path.parent.iterdir())) == 1
    with Run(tmp_path).locked():
        assert not list(path.parent.iterdir())


def test_the_next_to_write_a_file_removes_what_a_killed_one_left_of_it(tmp_path: Path) -> None:
    for name in ("found.sarif", "found", "f[o]und.sarif"):
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / name)], check=False)
    assert len(list(tmp_path.iterdir())) == 3
    write_bytes(tmp_path / "f[o]und.sarif", b"whole")
    write_bytes(tmp_path / "found.sarif", b"whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert [left[0][:7], *left[1:]] == [".found.", "f[o]und.sarif", "found.sarif"]


def test_what_another_is_writing_stays_until_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "found.sarif"
    with atomic_path(path) as first:
        first.write_bytes(b"first")
        write_bytes(path, b"second")
        assert first.read_bytes() == b"first"
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_file_never_fail(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from codewren_runtime.files import write_bytes\n"
        "for _ in range(300): write_bytes(Path(sys.argv[1]), sys.argv[2].encode() * 1000)"
    )
    path = tmp_path / "found.sarif"
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), letter], stderr=subprocess.PIPE)
        for letter in "abcd"
    ]
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors.decode()
    assert list(tmp_path.iterdir()) == [path]
    assert len(path.read_bytes()) == 1000 == path.read_text().count(path.read_text()[0])


@pytest.mark.parametrize("name", ["x" * 241, "x" * 242, "ü" * 127, "x" * 255])
def test_an_output_may_have_a_name_as_long_as_the_system_takes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    write_bytes(path, b"whole")
    assert list(tmp_path.iterdir()) == [path]
    path.unlink()
    with new_folder(path) as folder:
        (folder / "file").write_text("whole")
    assert list(tmp_path.iterdir()) == [path]


def test_who_takes_a_run_leaves_what_others_are_writing_there(tmp_path: Path) -> None:
    path = tmp_path / "found.sarif"
    with new_folder(tmp_path / "wheel") as folder, atomic_path(path) as temporary:
        temporary.write_bytes(b"whole")
        (folder / "file").write_text("whole")
        with Run(tmp_path).locked():
            pass
    assert path.read_bytes() == b"whole"
    assert (tmp_path / "wheel/file").read_text() == "whole"


def test_what_is_named_as_a_temporary_is_in_nobodys_way(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("mine")
    path = tmp_path / "run/found.sarif"
    path.parent.mkdir()
    names = [path.parent / f".found.sarif.abcdefg{i}.tmp" for i in range(5)]
    names[0].mkdir()
    (names[0] / "file").write_text("left")
    os.mkfifo(names[1])
    names[2].symlink_to(kept)
    names[3].symlink_to(kept / "file")
    names[4].symlink_to("nowhere")
    write_bytes(path, b"whole")
    with Run(path.parent).locked():
        pass
    assert list(path.parent.iterdir()) == [path]
    assert (kept / "file").read_text() == "mine"
