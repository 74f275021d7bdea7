"""`compress lsp` as an editor sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

URI = "file:///some%20folder/a.c"
CODE = """int add(int a, int b) {
    return a + b;
}

int mul(int a, int b) {
    return a * b;
}
"""
Wren = Callable[[str], Path]


def names(diagnostics: list[Any]) -> list[str]:
    return [str(d.message).split(":")[0] for d in diagnostics]


def test_diagnostics_follow_the_text(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            e.open(URI, CODE)
            first = await e.diagnostics(URI, 1)
            assert names(first) == ["add", "mul"]
            assert [d.range.start.line for d in first] == [0, 4]
            assert (first[0].range.start.character, first[0].range.end.character) == (4, 7)
            assert first[0].source == "codewren"
            assert first[0].code.startswith("tiny/")

            e.edit(URI, 2, (5, 4), (5, 17), "gets(b); exec(a, b, malloc(strlen(b)));")
            second = await e.diagnostics(URI, 2)
            assert second[0] == first[0]
            assert second[1].message != first[1].message

            e.close(URI)
            assert await e.diagnostics(URI) == []

    asyncio.run(session())


def test_positions_are_in_utf16(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            assert e.capabilities.position_encoding == "utf-16"
            e.open(URI, "/* 😋𐀀\f\u2028 */ " + CODE)
            (first, _) = await e.diagnostics(URI, 1)
            assert (first.range.start.line, first.range.start.character) == (0, 17)
            # Behind the wide characters an edit lands where the editor means it.
            e.edit(URI, 2, (0, 17), (0, 20), "plus")
            assert names(await e.diagnostics(URI, 2)) == ["plus", "mul"]

    asyncio.run(session())


def test_only_what_reaches_the_threshold_is_shown(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "1") as e:
            e.open(URI, CODE)
            assert await e.diagnostics(URI, 1) == []
            e.configure({"codewren": {"threshold": 0}})
            assert len(await e.diagnostics(URI, 1)) == 2
            e.configure({"threshold": 7})
            assert "threshold must be a number from 0 to 1, not 7" in await e.message()
            assert len(await e.diagnostics(URI, 1)) == 2

    asyncio.run(session())


def test_the_editors_options_win_over_flags(editor: Any, wren: Wren) -> None:
    options = {"bundle": str(wren("single")), "threshold": 0}

    async def session() -> None:
        async with editor("--bundle", "missing.wren", options=options) as e:
            e.open(URI, CODE)
            assert len(await e.diagnostics(URI, 1)) == 2
            assert e.messages == []

    asyncio.run(session())


@pytest.mark.parametrize("flags", [(), ("--bundle", "missing.wren"), ("--bundle", __file__)])
def test_a_bundle_that_cannot_be_used_is_told_once(editor: Any, flags: tuple[str, ...]) -> None:
    async def session() -> None:
        async with editor(*flags) as e:
            line = await e.message()
            assert (flags[1] if flags else "no bundle") in line
            assert "\n" not in line
            e.open(URI, CODE)
            assert await e.diagnostics(URI, 1) == []
            assert await e.hover(URI, 0, 5) is None
            assert e.messages == []

    asyncio.run(session())


def test_another_bundle_may_be_set_while_running(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--threshold", "0") as e:
            assert "no bundle" in await e.message()
            e.open(URI, CODE)
            assert await e.diagnostics(URI, 1) == []
            e.configure({"bundle": str(wren("single"))})
            assert len(await e.diagnostics(URI, 1)) == 2

    asyncio.run(session())


def test_fast_typing_publishes_the_last_version_alone(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            e.open(URI, CODE)
            await e.diagnostics(URI, 1)
            for version in range(2, 32):
                e.edit(URI, version, (1, 4), (1, 4), "x")
            last = await e.diagnostics(URI)
            assert len(last) == 2
            await e.hover(URI, 1, 5)
            assert e.published == []
            (hover,) = [await e.hover(URI, 1, 5)]
            assert hover is not None

    asyncio.run(session())


def test_the_editors_language_wins_over_the_suffix(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            e.open("file:///a.txt", CODE, language="c")
            assert len(await e.diagnostics("file:///a.txt", 1)) == 2
            e.open("untitled:Untitled-1", CODE, language="c")
            assert len(await e.diagnostics("untitled:Untitled-1", 1)) == 2
            e.open("file:///b.c", CODE, language="some-dialect-of-c")
            assert len(await e.diagnostics("file:///b.c", 1)) == 2
            e.open("file:///notes.md", CODE, language="markdown")
            assert await e.diagnostics("file:///notes.md", 1) == []

    asyncio.run(session())
