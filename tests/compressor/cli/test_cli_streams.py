"""Streams that the caller has closed, and a user who has changed their mind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from codewren.cli import app

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell's redirections")

COMPRESS = f"'{sys.executable}' -m codewren"


def shell(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    (folder / "a.c").write_text("int f(char *s)\n{\n  return s[0];\n}\n")
    command = ["sh", "-c", f"{COMPRESS} {line}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("inspect vulnerability-c --json >&-", 0),
        ("predict vulnerability-c a.c >&- 2>&- <&-", 0),
        ("predict vulnerability-c none.c 2>&-", 2),
        ("predict vulnerability-c - <&-", 2),
        ("scan a.c --threshold 1 --cache cache >&- 2>&- <&-", 0),
    ],
)
def test_a_closed_stream_is_no_bug(tmp_path: Path, line: str, status: int) -> None:
    done = shell(tmp_path, line)
    assert done.returncode == status, done
    assert not done.stdout
    assert len(done.stderr.splitlines()) == ("<&-" in line and "2>&-" not in line)


def test_nothing_but_json_on_stdout_where_stderr_is_closed(tmp_path: Path) -> None:
    done = shell(tmp_path, "scan a.c --threshold 1 --json --no-cache 2>&-")
    assert json.loads(done.stdout)["functions"] == 1


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "inspect vulnerability-c",
        "inspect vulnerability-c --json",
        "scan a.c --threshold 0 --no-cache --quiet",  # whose status 1 would be findings
        "scan a.c --threshold 0 --no-cache 2>&1 >/dev/null",
    ],
)
def test_a_reader_who_has_gone_ends_it_quietly(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.c").write_text("int f(char *s)\n{\n  return s[0];\n}\n")
    reader, writer = os.pipe()
    os.close(reader)
    command = ["sh", "-c", f"'{sys.executable}' -W error -m codewren {line}"]
    done = subprocess.run(command, cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(("line", "status"), [("inspect none", 2), ("scan a.c --label none", 2)])
def test_a_refusal_that_nobody_hears_has_its_status(tmp_path: Path, line: str, status: int) -> None:
    assert shell(tmp_path, f"{line} 2>/dev/full").returncode == status


def test_an_interrupt_before_the_verb_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "app", interrupted)
    with pytest.raises(SystemExit) as done:
        app.main()
    assert done.value.code == 130
    assert capsys.readouterr().err.startswith("compress: interrupted")


def test_what_steers_a_terminal_is_not_printed(tmp_path: Path) -> None:
    name = "a\x1b[31m\n\u202eb.c"
    (tmp_path / name).write_text("int f(void);\n")
    done = shell(tmp_path, "predict vulnerability-c a*b.c")
    assert done.stdout.startswith("a�[31m��b.c  ")
    assert shell(tmp_path, "predict a*b.c a*b.c").stderr.startswith("compress: a�[31m �b.c: ")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device that is always full")
@pytest.mark.parametrize("more", ["", " --json"])
def test_an_answer_that_does_not_fit_says_where(tmp_path: Path, more: str) -> None:
    done = shell(tmp_path, f"predict vulnerability-c a.c{more} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "compress: stdout or a file cannot be written: No space left on device; make room and run "
        "it again"
    ]
