from pathlib import Path

import pytest

from codewren.demo.functions import Function, collect, source_files

LONG = "\n".join(f"    x{i} = a" for i in range(40))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text(
        "def one(a):\n    'Says what.'\n    b = a\n    c = b\n    return c\n\n"
        "def short(a):\n    return a\n\n"
        f"def long(a):\n{LONG}\n\n"
        "class C:\n    @property\n"
        "    def two(self):\n        b = self.x\n        c = b\n        return c\n\n"
        "    def open(self):\n        f = open(self.x)\n        g = f\n        return g\n"
    )
    (tmp_path / "b.py").write_text("def same(a):\n    b = a\n    c = b\n    return c\n")
    (tmp_path / "broken.py").write_text("def (:\n")
    (tmp_path / "null.py").write_bytes(b"x = '\0'\n")
    (tmp_path / "latin.py").write_bytes(b"x = '\xff'\n")
    (tmp_path / "warns.py").write_text("x = '\\d' is 'd'\n")
    for name in ("test", "site-packages", "__pycache__"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.py").write_text("x = 1\n")
    return tmp_path


def collected(root: Path) -> list[Function]:
    return [function for file in collect(root, source_files(root)).by_file for function in file]


def test_tests_and_installed_packages_are_not_read(sources: Path) -> None:
    assert source_files(sources) == ["a.py", "b.py", "broken.py", "latin.py", "null.py", "warns.py"]


def test_unreadable_files_are_counted(sources: Path) -> None:
    collection = collect(sources, [*source_files(sources), "gone.py"])
    assert collection.files_skipped == 4
    assert len(collection.by_file) == 3


def test_functions_come_without_docstring_decorator_and_repeats(sources: Path) -> None:
    one, two = collected(sources)
    assert one.text == "def one(a):\n    b = a\n    c = b\n    return c"
    assert one.locals == ("a", "b", "c")
    assert two.text == "def two(self):\n    b = self.x\n    c = b\n    return c"
    assert two.locals == ("b", "c")
    assert ".x" in two.traits


def test_reading_stops_when_there_is_enough(sources: Path) -> None:
    assert len(collect(sources, ["a.py", "b.py"], enough=1).by_file) == 1
