"""The cache: shared, killed, damaged, full."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.scan import cache as module
from codewren.scan.cache import FILE, Cache


def test_what_was_put_is_there_at_once_and_in_the_next_process(tmp_path: Path) -> None:
    said: list[str] = []
    with Cache(tmp_path / "a b", said.append) as cache:
        assert cache.get(b"key") is None
        cache.put(b"key", b"value")
        cache.put(b"key", b"other")
        assert cache.get(b"key") == b"other"
    with Cache(tmp_path / "a b", said.append) as cache:
        assert cache.get(b"key") == b"other"
    assert not said


@settings(deadline=None)
@given(st.dictionaries(st.binary(max_size=80), st.binary(max_size=300), max_size=20))
def test_any_bytes_come_back(
    tmp_path_factory: pytest.TempPathFactory, values: dict[bytes, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    with Cache(folder, print) as cache:
        for key, value in values.items():
            cache.put(key, value)
    with Cache(folder, print) as cache:
        assert {key: cache.get(key) for key in values} == values


@pytest.mark.parametrize("damage", ["text", "cut", "middle"])
def test_a_damaged_file_is_discarded_or_its_values_forgotten(tmp_path: Path, damage: str) -> None:
    values = {b"%d" % i: b"value" * 50 for i in range(500)}
    with Cache(tmp_path, print) as cache:
        for key, value in values.items():
            cache.put(key, value)
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    if damage == "text":
        path.write_bytes(b"this is no database\n" * 100)
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 3 : len(data) // 2] = os.urandom(len(data) // 2 - len(data) // 3)
        path.write_bytes(data)
    said: list[str] = []
    with Cache(tmp_path, said.append) as cache:
        for key, value in values.items():
            assert cache.get(key) in (None, value)
        cache.put(b"new", b"1")
        assert cache.get(b"new") == b"1"
    with Cache(tmp_path, print) as cache:
        assert cache.get(b"new") == b"1"
    if damage == "text":
        assert len(said) == 1
        assert "discarded" in said[0]


def test_a_changed_value_is_forgotten(tmp_path: Path) -> None:
    with Cache(tmp_path, print) as cache:
        cache.put(b"key", b"value")
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("UPDATE answers SET value = value || x'00'")
    connection.commit()
    connection.close()
    with Cache(tmp_path, print) as cache:
        assert cache.get(b"key") is None


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said: list[str] = []
    with Cache(tmp_path / "file" / "cache", said.append) as cache:
        cache.put(b"key", b"value")
        cache.get(b"other")
    assert len(said) == 1
    assert "nothing will be remembered" in said[0]


def test_the_older_half_goes_when_it_is_full(tmp_path: Path) -> None:
    for generation in range(6):
        with Cache(tmp_path, print, max_bytes=300_000) as cache:
            for i in range(300):
                cache.put(b"%d %d" % (generation, i), os.urandom(500))
    assert (tmp_path / FILE).stat().st_size < 450_000
    with Cache(tmp_path, print) as cache:
        assert cache.get(b"5 299") is not None
        assert cache.get(b"0 0") is None


def test_threads_share_one(tmp_path: Path) -> None:
    with Cache(tmp_path, print) as cache, ThreadPoolExecutor(8) as pool:

        def work(i: int) -> bool:
            cache.put(b"%d" % i, b"%d" % i)
            return cache.get(b"%d" % i) == b"%d" % i

        assert all(pool.map(work, range(2_000)))


WRITER = """
import sys
from pathlib import Path
from codewren.scan import cache as module
module.WRITE_SECONDS = 0.0
with module.Cache(Path(sys.argv[1]), print) as cache:
    for i in range(int(sys.argv[3])):
        cache.put(f"{sys.argv[2]} {i}".encode(), b"value")
        if i == 50:
            print("going", flush=True)
"""


def _writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    writers = [_writer(tmp_path, name, 300) for name in "ab"]
    outputs = [writer.communicate(timeout=120)[0] for writer in writers]
    assert outputs == ["going\n", "going\n"]
    with Cache(tmp_path, print) as cache:
        kept = sum(
            cache.get(f"{name} {i}".encode()) == b"value" for name in "ab" for i in range(300)
        )
    assert kept == 600


def test_a_killed_process_leaves_a_cache_that_works(tmp_path: Path) -> None:
    writer = _writer(tmp_path, "a", 10**9)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "going\n"
    writer.kill()
    writer.communicate()
    said: list[str] = []
    with Cache(tmp_path, said.append) as cache:
        assert cache.get(b"a 0") == b"value"
    assert not said


def test_a_database_that_another_process_locks_is_borne(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cache(tmp_path, print) as cache:
        cache.put(b"key", b"value")
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("BEGIN EXCLUSIVE")
    said: list[str] = []
    with Cache(tmp_path, said.append) as cache:
        cache.put(b"second", b"value")
        assert cache.get(b"second") == b"value"
    other.close()
    with Cache(tmp_path, print) as cache:
        assert cache.get(b"key") == b"value"
