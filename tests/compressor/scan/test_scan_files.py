"""Which files of a tree are scanned."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.scan.files import MAX_BYTES, _is_pattern, find_files, root_of
from codewren.scan.reading import read_file
from codewren_runtime.errors import DataError


def names(*paths: str, root: Path) -> list[str]:
    return [f.name for f in find_files([root / p for p in paths], str(root), Counter())]


def write(root: Path, *files: str) -> None:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("int f(void) { return 1; }\n")


def test_hidden_and_vendored_folders_and_other_files_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a.c", "b/c.py", ".git/x.c", "node_modules/m/i.js", ".hidden.c", "notes.txt")
    assert names(".", root=tmp_path) == ["a.c", "b/c.py"]
    assert names("node_modules", root=tmp_path) == ["node_modules/m/i.js"]


def test_nested_gitignores_hold_and_a_file_given_by_name_is_taken(tmp_path: Path) -> None:
    write(tmp_path, "a.c", "build/b.c", "src/gen.c", "src/keep.c", "src/deep/gen.c", "lib/x.c")
    (tmp_path / ".gitignore").write_text("build/\ngen.c\n/lib/*.c\n")
    (tmp_path / "src" / ".gitignore").write_text("!/gen.c\nkeep.c\n")
    assert names(".", root=tmp_path) == ["a.c", "src/gen.c"]
    assert names("lib/x.c", "build", root=tmp_path) == ["build/b.c", "lib/x.c"]


def test_ignores_above_hold_up_to_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    write(repository, "src/a.c", "src/b.c", ".git/HEAD")
    (tmp_path / ".gitignore").write_text("a.c\n")
    (repository / ".gitignore").write_text("b.c\n")
    assert names("src", root=repository) == ["src/a.c"]


PATTERNS = (
    "a.c",
    "/b",
    "d/",
    "!a.c",
    "*.c",
    "**/b/",
    "b/*.c",
    "[ab].c",
    "!",
    "",
    "#x",
    "d/**",
    "\\",
)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(PATTERNS), max_size=4), st.lists(st.sampled_from(PATTERNS)))
def test_files_are_those_that_git_does_not_ignore(
    tmp_path_factory: pytest.TempPathFactory, outer: list[str], inner: list[str]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    write(root, "a.c", "b/a.c", "b/b.c", "b/d/a.c", "d/a.c", "d/b/c.c")
    (root / ".gitignore").write_text("\n".join(outer))
    (root / "b" / ".gitignore").write_text("\n".join(inner))
    git = ["git", "-C", str(root), "-c", "core.excludesFile="]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-oc", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert names(".", root=root) == sorted(name for name in listed if name.endswith(".c"))


@given(st.text(max_size=20))
def test_any_line_is_a_pattern_or_none(line: str) -> None:
    assert _is_pattern(line) in (True, False)


def test_links_large_files_and_pipes_are_counted(tmp_path: Path) -> None:
    root, outside = tmp_path / "tree", tmp_path / "outside"
    write(root, "a.c", "sub/b.c")
    write(outside, "o.c")
    (root / "link.c").symlink_to(outside / "o.c")
    (root / "loop").symlink_to(root)
    (root / "large.c").write_bytes(b" " * (MAX_BYTES + 1))
    os.mkfifo(root / "pipe.c")
    skipped: Counter[str] = Counter()
    assert [f.name for f in find_files([root], str(root), skipped)] == ["a.c", "sub/b.c"]
    assert skipped == {"links": 1, "over 2 MB": 1, "unreadable": 1}


def test_a_named_path_that_is_no_source_is_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.c", "notes.txt")
    os.mkfifo(tmp_path / "pipe.c")
    paths = [tmp_path / name for name in ("a.c", "notes.txt", "pipe.c")]
    skipped: Counter[str] = Counter()
    assert [f.name for f in find_files(paths, str(tmp_path), skipped)] == ["a.c"]
    assert skipped == {"of no known language": 1, "unreadable": 1}


def test_overlapping_paths_give_each_file_once(tmp_path: Path) -> None:
    write(tmp_path, "a.c", "b/c.c")
    assert names(".", "b", "b/c.c", root=tmp_path) == ["a.c", "b/c.c"]


def test_a_path_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "loop.c").symlink_to(tmp_path / "loop.c")
    for name in ("none.c", "loop.c"):
        with pytest.raises(DataError, match=name):
            names(name, root=tmp_path)


def test_names_are_relative_to_the_current_folder_or_to_what_the_paths_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "here/a.c", "there/b.c")
    monkeypatch.chdir(tmp_path / "here")
    assert root_of([Path()]) == str(tmp_path / "here")
    assert root_of([Path("../there/b.c")]) == str(tmp_path / "there")
    assert root_of([Path(), Path("../there")]) == str(tmp_path)


def test_what_is_no_source_after_all_has_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "gone.c", "binary.c", "locked.c")
    (tmp_path / "binary.c").write_bytes(b"\x7fELF\0\0")
    (gone, binary) = (
        next(f for f in find_files([tmp_path], str(tmp_path), Counter()) if f.name == name)
        for name in ("gone.c", "binary.c")
    )
    (tmp_path / "gone.c").unlink()
    assert read_file(gone) == "unreadable"
    assert read_file(binary) == "binary"
    os.mkfifo(tmp_path / "gone.c")
    assert read_file(gone) in (b"", "unreadable")
