"""The editor server: the Language Server Protocol on one side, `Watch` on the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from codewren import __version__
from codewren.lsp.diagnostics import diagnostic, text_range, too_large
from codewren.lsp.documents import Document
from codewren.lsp.engine import Finding
from codewren.lsp.pipe import BoundedPipe
from codewren.lsp.protocol import DocumentProtocol
from codewren.lsp.settings import Settings
from codewren.lsp.watch import Watch
from codewren_runtime.errors import OptionError

__all__ = ["CodeServer"]


class CodeServer(LanguageServer):
    """Serves one editor. `settings` hold until the editor sends its own."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("codewren", __version__, protocol_cls=DocumentProtocol)
        self.settings = settings
        self.initial: object = None  # the editor's options, until it is ready
        self.watch = Watch(self.publish, self.say)
        for method, handler in HANDLERS.items():
            self.feature(method)(handler)

    def serve(self) -> None:
        """Serve on stdin and stdout until the editor goes; DataError for what is no protocol."""
        try:
            self.start_io(BoundedPipe(sys.stdin.buffer))  # type: ignore[arg-type]
        finally:
            self.watch.close()

    def update(self, sent: object) -> None:
        """Take the settings that the editor sent; bad ones are told and change nothing."""
        try:
            self.settings = self.settings.updated(sent)
        except OptionError as error:
            self.say(str(error))

    def publish(self, document: Document, findings: list[Finding]) -> None:
        """Show all findings of a document, and no others."""
        shown = [diagnostic(finding) for finding in findings]
        if document.text is None:
            shown = [too_large(self.settings.max_size)]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(document.uri, shown, document.version)
        )

    def say(self, line: str) -> None:
        """Tell the user what only they can mend."""
        self.window_show_message(
            types.ShowMessageParams(types.MessageType.Error, f"codewren: {line}")
        )


def _initialize(ls: CodeServer, params: types.InitializeParams) -> None:
    ls.initial = params.initialization_options


def _initialized(ls: CodeServer, _params: types.InitializedParams) -> None:
    # Not before: a message must not come ahead of the answer to `initialize`.
    ls.update(ls.initial)
    ls.watch.configure(ls.settings)


def _did_change_configuration(ls: CodeServer, params: types.DidChangeConfigurationParams) -> None:
    ls.update(params.settings)
    ls.watch.configure(ls.settings)


def _did_open(ls: CodeServer, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    document = Document.opened(
        item.uri, item.language_id, item.version, item.text, ls.settings.max_size
    )
    ls.watch.put(document, typing=False)


def _did_change(ls: CodeServer, params: types.DidChangeTextDocumentParams) -> None:
    document = ls.watch.get(params.text_document.uri)
    if document is not None:
        version, limit = params.text_document.version, ls.settings.max_size
        ls.watch.put(document.changed(version, params.content_changes, limit), typing=True)


def _did_save(ls: CodeServer, params: types.DidSaveTextDocumentParams) -> None:
    ls.watch.hurry(params.text_document.uri)


def _did_close(ls: CodeServer, params: types.DidCloseTextDocumentParams) -> None:
    ls.watch.remove(params.text_document.uri)


async def _hover(ls: CodeServer, params: types.HoverParams) -> types.Hover | None:
    place = params.position.line, params.position.character
    explained = await ls.watch.explain(params.text_document.uri, place)
    if explained is None:
        return None
    function, markdown = explained
    return types.Hover(
        types.MarkupContent(types.MarkupKind.Markdown, markdown), text_range(*function.mark)
    )


HANDLERS: Mapping[str, Callable[..., object]] = {
    types.INITIALIZE: _initialize,
    types.INITIALIZED: _initialized,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: _did_change_configuration,
    types.TEXT_DOCUMENT_DID_OPEN: _did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: _did_change,
    types.TEXT_DOCUMENT_DID_SAVE: _did_save,
    types.TEXT_DOCUMENT_DID_CLOSE: _did_close,
    types.TEXT_DOCUMENT_HOVER: _hover,
}
