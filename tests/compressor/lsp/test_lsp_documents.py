"""Lines, columns and edits, against the plain meaning of the protocol on UTF-16."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import (
    Position,
    Range,
    TextDocumentContentChangePartial,
    TextDocumentContentChangeWholeDocument,
)

from codewren.lsp.documents import Document
from codewren.lsp.lines import LineIndex

# Line ends, look-alikes of line ends, wide characters, halves of them, and zeros.
TEXTS = st.text(st.sampled_from("ab \t\n\r\f\v\x1c\x85\u2028\0é€😋𐀀\ud83d\ude0b"), max_size=40)
LIMIT = 1000


def units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def lines_in_units(text: str) -> list[bytes]:
    """The lines without their ends, in UTF-16."""
    return [units(line) for line in re.split(r"\r\n|\r|\n", text)]


def change(start: tuple[int, int], end: tuple[int, int], text: str) -> object:
    return TextDocumentContentChangePartial(Range(Position(*start), Position(*end)), text)


@given(TEXTS, st.data())
def test_a_place_is_the_line_and_the_units_before_it(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    if text[offset - 1 : offset + 1] == "\r\n":
        offset -= 1  # between the two there is no place
    before = lines_in_units(text[:offset])
    assert LineIndex(text).place(offset) == (len(before) - 1, len(before[-1]) // 2)


@given(TEXTS, st.data())
def test_a_place_leads_back_to_its_offset(text: str, data: st.DataObject) -> None:
    index = LineIndex(text)
    offset = data.draw(st.integers(0, len(text)))
    if text[offset - 1 : offset + 1] == "\r\n":
        offset -= 1
    assert index.offset(*index.place(offset)) == offset


@given(TEXTS, st.integers(0, 45), st.integers(0, 90))
def test_any_place_is_held_within_its_line(text: str, line: int, column: int) -> None:
    offset = LineIndex(text).offset(line, column)
    lines = lines_in_units(text)
    if line >= len(lines):
        assert offset == len(text)
        return
    found_line, found_column = LineIndex(text).place(offset)
    assert found_line == line
    # One less in the middle of a wide character.
    assert min(column, len(lines[line]) // 2) - found_column in (0, 1)


def test_a_wide_character_is_two_columns() -> None:
    index = LineIndex("x = '😋';\n")
    assert index.place(6) == (0, 7)
    assert [index.offset(0, column) for column in (4, 5, 6, 7, 8)] == [4, 5, 5, 6, 7]


@given(TEXTS, TEXTS, st.data())
def test_an_edit_replaces_what_lies_between_two_places(
    text: str, new: str, data: st.DataObject
) -> None:
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    if any(text[at - 1 : at + 1] == "\r\n" for at in (begin, end)):
        return
    index = LineIndex(text)
    document = Document.opened("file:///a.c", "c", 1, text, LIMIT)
    edit = change(index.place(begin), index.place(end), new)
    changed = document.changed(2, [edit], LIMIT)  # type: ignore[list-item]
    assert changed.text == text[:begin] + new + text[end:]
    assert (changed.version, document.text) == (2, text)


def test_edits_of_one_notification_build_on_each_other() -> None:
    document = Document.opened("file:///a.c", "c", 1, "a\fb\nc\n", LIMIT)
    edits = [change((0, 3), (1, 1), "X\nY"), change((1, 1), (1, 1), "!")]
    assert document.changed(2, edits, LIMIT).text == "a\fbX\nY!\n"  # type: ignore[arg-type]


def test_ends_that_stand_before_their_start_insert() -> None:
    document = Document.opened("file:///a.c", "c", 1, "abc", LIMIT)
    edits = [change((0, 2), (0, 1), "-")]
    assert document.changed(2, edits, LIMIT).text == "ab-c"  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [5, 11])
def test_a_document_over_the_limit_is_let_go_until_sent_whole(size: int) -> None:
    document = Document.opened("file:///a.c", "c", 1, "x" * size, 10)
    document = document.changed(2, [change((0, 0), (0, 0), "y" * 6)], 10)  # type: ignore[list-item]
    assert document.text is None
    document = document.changed(3, [change((0, 0), (0, 9), "")], 10)  # type: ignore[list-item]
    assert document.text is None
    whole = TextDocumentContentChangeWholeDocument("small")
    assert document.changed(4, [whole], 10).text == "small"
