from __future__ import annotations

import os
from pathlib import Path

import pytest

from codewren.data import Fields, folder, read_examples, read_sources
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example

MODULE = '''\
"""Module."""
import os

@decorated
def first(a):
    """Two
words: a form feed \x0c in the text."""
    def inner():
        return a
    return inner

class Box:
    size = lambda self: 1

    async def method(self):
        return [x for x in self]

if os.name == "posix":
    try:
        def under_try(): return 1
    except ImportError:
        def under_except(): pass
'''


def test_python_files_give_their_outermost_functions(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_bytes(MODULE.replace("\n", "\r\n").encode())
    found = read_sources(tmp_path).texts
    assert [(s.line, s.text.split("(")[0]) for s in found] == [
        (5, "def first"),
        (15, "async def method"),
        (20, "def under_try"),
        (22, "def under_except"),
    ]
    assert found[0].text.endswith("    return inner")
    assert found[1].text == "async def method(self):\n    return [x for x in self]"


def test_other_languages_give_whole_files_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.RS").write_text("fn x() {}\n")
    (tmp_path / "a.c").write_bytes(b"\xef\xbb\xbfint a;\n")
    (tmp_path / "notes.txt").write_text("no code")
    (tmp_path / "empty.js").write_text("\n")
    for skipped in (".git", "node_modules", "__pycache__"):
        (tmp_path / skipped).mkdir()
        (tmp_path / skipped / "x.c").write_text("int hidden;")
    data = read_examples(tmp_path, Fields(), ("safe", "bug"), require_label=False)
    assert data.examples == (Example("int a;\n"), Example("fn x() {}\n"))
    assert (data.lines, data.labels, data.path) == ((1, 1), ("safe", "bug"), tmp_path)


def test_a_python_file_without_functions_gives_itself(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("print(1)\n")
    (tmp_path / "__init__.py").write_text("")
    assert [s.text for s in read_sources(tmp_path).texts] == ["print(1)\n"]


def test_one_source_file_is_data_too(tmp_path: Path) -> None:
    path = tmp_path / "a.java"
    path.write_text("class A {}")
    data = read_examples(path, Fields(), None, require_label=False)
    assert data.examples == (Example("class A {}"),)
    with pytest.raises(DataError, match="is a source file, which has no labels"):
        read_examples(path, Fields(), None, require_label=True)
    with pytest.raises(DataError, match=r"gone\.c: no such file"):
        read_examples(tmp_path / "gone.c", Fields(), None, require_label=False)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("latin.c", b"// caf\xe9\nint a;", "is not UTF-8 text — save it as UTF-8"),
        ("object.c", b"\x7fELF\0\0", "is a binary file"),
        ("two.py", b"print 'two'\n", "is not Python 3"),
        ("deep.py", b"(" * 5000, "Python"),
        ("minus.py", b"x = " + b"-" * 100_000 + b"1", "Python"),
        ("attributes.py", b"a" + b".b" * 100_000, "Python"),
        ("large.c", b"int a;" * 40, "is over 50 MB"),
    ],
)
def test_sources_that_cannot_be_used_are_bad_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, what: str
) -> None:
    monkeypatch.setattr(folder, "MAX_FILE_BYTES", 200 if name == "large.c" else 1_000_000)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="no usable source, 1 bad; the first: .*" + what):
        read_sources(tmp_path, skip_bad_rows=True)
    (tmp_path / "good.c").write_text("int good;")
    with pytest.raises(DataError, match=f"{name}:1: .*{what}.* --skip-bad-rows"):
        read_sources(tmp_path)
    sources = read_sources(tmp_path, skip_bad_rows=True)
    assert [bad.path.name for bad in sources.bad_rows] == [name]
    assert [s.text for s in sources.texts] == ["int good;"]


def test_a_folder_without_sources(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no source text there — give one with \.c \.cc"):
        read_sources(tmp_path)


def test_links_in_circles_links_to_nothing_and_pipes_do_not_hang(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int a;")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "nothing.c").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.c")
    sources = read_sources(tmp_path, skip_bad_rows=True)
    assert [s.text for s in sources.texts] == ["int a;"]
    assert [bad.what for bad in sources.bad_rows] == [
        "is a link to nothing",
        "is not a regular file",
    ]


def test_sha256_follows_names_and_contents_but_not_the_place(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for place in (one, two):
        place.mkdir()
        (place / "a.c").write_text("int a;")
    assert read_sources(one).sha256 == read_sources(two).sha256
    (two / "a.c").write_text("int b;")
    assert read_sources(one).sha256 != read_sources(two).sha256
