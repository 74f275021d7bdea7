"""What the editor has open: immutable snapshots, one after each change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lsprotocol.types import TextDocumentContentChangeEvent, TextDocumentContentChangePartial

from codewren.lsp.lines import LineIndex

__all__ = ["Document"]


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """One version of an open document; compared by identity, since versions may repeat.

    `text` is None once the document has grown beyond the limit: from then on changes of
    ranges cannot be followed, until the editor sends the whole text again.
    """

    uri: str
    language_id: str
    version: int | None
    text: str | None

    @classmethod
    def opened(
        cls, uri: str, language_id: str, version: int | None, text: str, limit: int
    ) -> Document:
        """A document as the editor opens it, with its text if that is within the limit."""
        return cls(uri, language_id, version, text if len(text) <= limit else None)

    def changed(
        self, version: int | None, changes: Sequence[TextDocumentContentChangeEvent], limit: int
    ) -> Document:
        """The document after `changes`, made one after the other."""
        text = self.text
        for change in changes:
            text = _apply(text, change)
            if text is not None and len(text) > limit:
                text = None
        return replace(self, version=version, text=text)


def _apply(text: str | None, change: TextDocumentContentChangeEvent) -> str | None:
    if not isinstance(change, TextDocumentContentChangePartial):
        return change.text
    if text is None:
        return None
    index = LineIndex(text)
    start, end = change.range.start, change.range.end
    begin = index.offset(start.line, start.character)
    after = max(begin, index.offset(end.line, end.character))
    return text[:begin] + change.text + text[after:]
