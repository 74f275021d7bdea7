"""Frames that no editor sends, over the real pipe of `compress lsp`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "attacks"))
from editor import Editor

CODE = b"int f(int a) { return a; }\n"
Server = tuple[subprocess.Popen[bytes], Editor]


def _framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


NOTIFICATION = b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":%b}'
PASSED_OVER = (
    *map(_framed, (b"xxxxx", b'"\xff\xfe"', b"17", b"null", b"[]", b"{}", b'"\\ud800"')),
    *map(_framed, (b"[" * 1_000_000, b'{"a":' * 100_000, b"1" * 100_000)),
    *(_framed(NOTIFICATION % params) for params in (b"[1]", b"null", b'{"textDocument":[]}')),
    _framed(b'{"jsonrpc":"2.0","id":[],"method":"shutdown"}'),
    b"hello\r\n\r\n",
    b"Content-Length: -5\r\n\r\n",
    b"Content-Length: 0\r\n\r\n",
)


@pytest.fixture
def server(wren: Callable[[str], Path]) -> Iterator[Server]:
    command = ["-m", "codewren", "lsp", "--bundle", str(wren("single")), "--threshold", "0"]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        editor = Editor(process, 60)
        editor.shake_hands({"debounce": 0})
        yield process, editor
        process.kill()


def test_messages_that_make_no_sense_are_passed_over(server: Server) -> None:
    process, editor = server
    for at, frame in enumerate(PASSED_OVER):
        editor.raw(frame)
        editor.open(f"file:///{at}", "c", lambda: [CODE])
        assert len(editor.findings(f"file:///{at}", 1)) == 1, frame[:100]
    editor.goodbye()
    assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"Content-Length: 1000000000000\r\n\r\n", "a message of 1,000,000,000,000 bytes"),
        (b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\n", "a header of over 1,000 bytes"),
        (b"x" * 3_000, "a header of over 1,000 bytes"),
    ],
)
def test_a_length_that_lies_ends_the_server_in_one_line(
    server: Server, frame: bytes, said: str
) -> None:
    process, editor = server
    editor.raw(frame)
    assert process.wait(60) == 2
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    assert said in errors
    assert len(errors.splitlines()) == 1
