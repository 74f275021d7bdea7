"""The documents of an editor, kept as the Language Server Protocol means it.

pygls would keep them as well, but ends lines where Python does (form feeds, U+2028, …), so that
an edit below a form feed would land in the wrong place, and walks over lines character by
character, which takes seconds for a minified file. So its handlers of documents are replaced.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from lsprotocol import types
from pygls.protocol import LanguageServerProtocol, lsp_method

__all__ = ["DocumentProtocol"]

Steps = Generator[Any, Any, Any]


class DocumentProtocol(LanguageServerProtocol):
    """pygls' protocol without its own documents; positions are always in UTF-16 code units."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Steps:
        """Every client must know UTF-16, so no other unit is offered."""
        if params.capabilities.general is not None:
            params.capabilities.general.position_encodings = None
        return (yield from super().lsp_initialize(params))

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Steps:
        """On to the server's own handler."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Steps:
        """On to the server's own handler."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Steps:
        """On to the server's own handler."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE], (params,), None
