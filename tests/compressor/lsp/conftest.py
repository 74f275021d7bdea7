"""A real editor's side of the protocol, talking to `compress lsp` over its stdin and stdout."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

PATIENCE = 60.0


class Editor:
    """A client that keeps what the server sends."""

    def __init__(self) -> None:
        self.client = LanguageClient("test", "1")
        self.published: list[types.PublishDiagnosticsParams] = []
        self.messages: list[str] = []
        self.capabilities: types.ServerCapabilities
        self._news = asyncio.Event()
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(self._diagnostics())
        self.client.feature(types.WINDOW_SHOW_MESSAGE)(self._message())

    def _diagnostics(self) -> Callable[[types.PublishDiagnosticsParams], None]:
        def keep(params: types.PublishDiagnosticsParams) -> None:
            self.published.append(params)
            self._news.set()

        return keep

    def _message(self) -> Callable[[types.ShowMessageParams], None]:
        def keep(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)
            self._news.set()

        return keep

    async def start(self, *flags: str, options: object = None) -> None:
        """Start the server and shake hands."""
        await self.client.start_io(sys.executable, "-W", "error", "-m", "codewren", "lsp", *flags)
        general = types.GeneralClientCapabilities(position_encodings=["utf-8", "utf-16"])
        answer = await self.client.initialize_async(
            types.InitializeParams(
                types.ClientCapabilities(general=general),
                initialization_options=options,  # type: ignore[arg-type]
            )
        )
        self.capabilities = answer.capabilities
        self.client.initialized(types.InitializedParams())

    async def stop(self) -> int:
        """Say goodbye; the server's exit status."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()
        server = self.client._server
        assert server is not None
        return await server.wait()

    def open(self, uri: str, text: str, language: str = "c", version: int = 1) -> None:
        item = types.TextDocumentItem(uri, language, version, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def edit(
        self, uri: str, version: int, start: tuple[int, int], end: tuple[int, int], text: str
    ) -> None:
        where = types.Range(types.Position(*start), types.Position(*end))
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version, uri),
                [types.TextDocumentContentChangePartial(where, text)],
            )
        )

    def close(self, uri: str) -> None:
        self.client.text_document_did_close(
            types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(uri))
        )

    def configure(self, settings: object) -> None:
        self.client.workspace_did_change_configuration(
            types.DidChangeConfigurationParams(settings)  # type: ignore[arg-type]
        )

    async def hover(self, uri: str, line: int, character: int) -> types.Hover | None:
        return await asyncio.wait_for(
            self.client.text_document_hover_async(
                types.HoverParams(
                    types.TextDocumentIdentifier(uri), types.Position(line, character)
                )
            ),
            PATIENCE,
        )

    async def diagnostics(self, uri: str, version: int | None = None) -> list[types.Diagnostic]:
        """What is next published for a document (at this version)."""

        def found() -> list[types.Diagnostic] | None:
            for index, params in enumerate(self.published):
                if params.uri == uri and version in (None, params.version):
                    rest = self.published[index + 1 :]
                    earlier = [p for p in self.published[:index] if p.uri != uri]
                    self.published = earlier + rest
                    return list(params.diagnostics)
            return None

        return await self._wait(found)

    async def message(self) -> str:
        """The next line that the user is shown."""
        return await self._wait(lambda: self.messages.pop(0) if self.messages else None)

    async def _wait(self, found: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE):
            while (value := found()) is None:
                self._news.clear()
                await self._news.wait()
        return value


Session = Callable[..., AbstractAsyncContextManager[Editor]]


@pytest.fixture
def editor() -> Session:
    """Starts a server with these flags and options; it must end well."""

    @asynccontextmanager
    async def session(*flags: str, options: object = None) -> AsyncIterator[Editor]:
        editor = Editor()
        await editor.start(*flags, options=options)
        yield editor
        assert await editor.stop() == 0

    return session
