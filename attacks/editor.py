"""The editor's side of `compress lsp`: frames over the real pipe, whatever is in them.

A library's client would refuse to send half of this, and holds every message as a whole.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Editor", "escaped"]

Message = dict[str, Any]
Text = Callable[[], Iterable[bytes]]
PLACE = "@text@"


def escaped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Bytes as the inside of a JSON string; what is no UTF-8 as halves of characters."""
    for block in blocks:
        yield json.dumps(block.decode("utf-8", "surrogateescape"))[1:-1].encode()


class Editor:
    """Talks to a server that runs; what the server sends is read by a thread.

    Raises TimeoutError where an answer takes more than `patience` seconds, and EOFError where the
    server is gone.
    """

    def __init__(self, server: subprocess.Popen[bytes], patience: float) -> None:
        assert server.stdin is not None
        assert server.stdout is not None
        self._to, self._from, self._patience = server.stdin, server.stdout, patience
        self._came: queue.Queue[Message | None] = queue.Queue()
        self._kept: list[Message] = []
        threading.Thread(target=self._read, daemon=True).start()

    def shake_hands(self, options: Mapping[str, Any]) -> None:
        """Initialize the server with these settings of codewren's."""
        self.ask("initialize", {"capabilities": {}, "processId": None, "rootUri": None,
                                "initializationOptions": options})  # fmt: skip
        self.tell("initialized", {})

    def open(self, uri: str, language: str, text: Text) -> None:
        """Open a document; `text` gives its blocks, once to count them and once to send them."""
        item = {"uri": uri, "languageId": language, "version": 1, "text": PLACE}
        self._stream("textDocument/didOpen", {"textDocument": item}, text)

    def insert(self, uri: str, version: int, line: int, column: int, text: Text) -> None:
        """Insert a text into an open document."""
        place = {"line": line, "character": column}
        change = {"range": {"start": place, "end": place}, "text": PLACE}
        document = {"uri": uri, "version": version}
        params = {"textDocument": document, "contentChanges": [change]}
        self._stream("textDocument/didChange", params, text)

    def findings(self, uri: str, version: int) -> list[Message]:
        """What is next published for a version of a document."""
        published = self.wait(
            lambda message: (
                message.get("method") == "textDocument/publishDiagnostics"
                and (message["params"]["uri"], message["params"].get("version")) == (uri, version)
            )
        )
        return list(published["params"]["diagnostics"])

    def ask(self, method: str, params: object) -> Message:
        """The answer to a request."""
        self._send({"id": method, "method": method, "params": params})
        return self.wait(lambda message: message.get("id") == method)

    def tell(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def raw(self, *data: bytes) -> None:
        """Send bytes, whatever they are."""
        try:
            for block in data:
                self._to.write(block)
            self._to.flush()
        except BrokenPipeError as error:
            raise EOFError("the server is gone") from error

    def wait(self, wanted: Callable[[Message], bool]) -> Message:
        """The next message of this kind; others are kept for later."""
        for at, message in enumerate(self._kept):
            if wanted(message):
                return self._kept.pop(at)
        begin = time.monotonic()
        while True:
            try:
                left = self._patience - (time.monotonic() - begin)
                message = self._came.get(timeout=max(0.0, left))
            except queue.Empty as error:
                raise TimeoutError(f"no answer in {self._patience:.0f} s") from error
            if message is None:
                raise EOFError("the server is gone")
            if wanted(message):
                return message
            self._kept.append(message)

    def goodbye(self) -> None:
        """Have the server end, and read what it still says."""
        self.ask("shutdown", None)
        self.tell("exit", None)
        self._to.close()
        while self._came.get(timeout=self._patience) is not None:
            pass

    def _send(self, message: Message) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.raw(b"Content-Length: %d\r\n\r\n" % len(body), body)

    def _stream(self, method: str, params: object, text: Text) -> None:
        whole = json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()
        head, tail = whole.split(PLACE.encode())
        length = len(head) + len(tail) + sum(map(len, escaped(text())))
        self.raw(b"Content-Length: %d\r\n\r\n" % length, head)
        for block in escaped(text()):
            self.raw(block)
        self.raw(tail)

    def _read(self) -> None:
        try:
            while header := self._from.readline():
                length = int(header.removeprefix(b"Content-Length: "))
                while self._from.readline().strip():
                    pass
                self._came.put(json.loads(self._from.read(length)))
        finally:
            self._came.put(None)
