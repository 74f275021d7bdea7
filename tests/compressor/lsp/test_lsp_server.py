"""`compress lsp` as an editor sees it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pygls.exceptions import JsonRpcException

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


def test_a_kept_model_goes_by_its_name_and_judges_its_own_language(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", "vulnerability-c", "--threshold", "0") as e:
            e.open(URI, CODE)
            assert names(await e.diagnostics(URI, 1)) == ["add", "mul"]
            e.open("file:///project/a.cc", CODE, "cpp")
            assert await e.diagnostics("file:///project/a.cc", 1) == []
            e.configure({"bundle": str(wren("single"))})  # which may know every language
            while not await e.diagnostics("file:///project/a.cc", 1):
                pass  # what was published before

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


def test_hover_explains_the_function_under_the_cursor(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0.25") as e:
            e.open(URI, "int f() {\n  g();\n}\n" + CODE)
            inside = await e.hover(URI, 1, 3)
            assert inside is not None
            assert (inside.range.start.line, inside.range.start.character) == (0, 4)
            text = inside.contents.value
            assert "safe" in text
            assert "unknown" in text
            assert "reported from 25%" in text
            assert "line 2: `g();`" in text
            assert "not judged" not in text
            cut = await e.hover(URI, 4, 6)
            assert "The model reads as far as line 5: 1 more line was not judged." in (
                cut.contents.value
            )
            assert await e.hover(URI, 6, 0) is None
            assert await e.hover("file:///never-opened.c", 0, 0) is None

    asyncio.run(session())


def test_clones_are_marked_across_open_files(editor: Any, wren: Wren) -> None:
    other = "file:///other.c"

    async def session() -> None:
        async with editor("--bundle", str(wren("pair")), "--threshold", "0") as e:
            e.open(URI, CODE)
            add, mul = await e.diagnostics(URI, 1)
            (related,) = add.related_information
            assert (related.location.uri, related.location.range) == (URI, mul.range)
            e.open(other, CODE)
            assert len(await e.diagnostics(other, 1)) == 2
            # The first file's functions have new relatives now, without having changed.
            add, mul = await e.diagnostics(URI, 1)
            assert len(add.related_information) == 3
            e.close(other)
            add, mul = await e.diagnostics(URI, 1)
            assert len(add.related_information) == 1
            hover = await e.hover(URI, 1, 5)
            assert "`mul`, line 5 of [a.c]" in hover.contents.value

    asyncio.run(session())


def test_too_many_functions_to_compare_are_one_message(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("pair")), "--threshold", "0") as e:
            e.open(URI, CODE * 201)
            assert "402 functions are open; clones are looked for among at most 400" in (
                await e.message()
            )
            assert await e.diagnostics(URI, 1) == []

    asyncio.run(session())


def test_a_document_over_the_limit_gets_one_diagnostic(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            e.open(URI, CODE * 140_000)
            (only,) = await e.diagnostics(URI, 1)
            assert only.code == "too-large"
            assert "over 2,000,000 characters" in only.message
            e.edit(URI, 2, (0, 0), (0, 0), "x")
            assert [d.code for d in await e.diagnostics(URI, 2)] == ["too-large"]
            assert await e.hover(URI, 1, 1) is None
            e.close(URI)
            assert await e.diagnostics(URI) == []
            e.open(URI, CODE)
            assert len(await e.diagnostics(URI, 1)) == 2

    asyncio.run(session())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 1000 + CODE,
        "\ud800" + CODE.replace("a + b", "'\udc00😋\ud83d'"),
        "{" * 1_000_000,
        "int f(){" * 20_000,
        "}" * 1_000_000,
        "(" * 300_000 + "int f() {}",
        "/*" + "x" * 1_000_000,
        "int f() {" + "\r" * 100_000 + "}",
        "x" * 1_900_000,
    ],
    ids=[
        "empty", "zeros", "halves of characters", "braces", "nested functions", "closing braces",
        "parentheses", "open comment", "carriage returns", "one word",
    ],
)  # fmt: skip
def test_text_of_any_kind_is_answered(editor: Any, wren: Wren, text: str) -> None:
    """And meanwhile the server has an ear for others."""
    quick = "file:///quick.c"

    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            e.open(quick, CODE)
            await e.diagnostics(quick, 1)
            e.open(URI, text)
            for version in range(2, 5):
                e.edit(URI, version, (0, version), (0, version), "x")
            assert await e.hover(quick, 1, 5) is not None
            await e.diagnostics(URI, 4)
            e.edit(URI, 5, (0, 0), (10**6, 10**6), CODE)
            assert names(await e.diagnostics(URI, 5)) == ["add", "mul"]
            assert e.messages == []

    asyncio.run(session())


def test_what_was_never_opened_is_no_matter(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            e.edit("file:///never.c", 2, (0, 0), (0, 0), "x")
            e.close("file:///never.c")
            e.open(URI, CODE)
            assert len(await e.diagnostics(URI, 1)) == 2
            assert e.messages == []

    asyncio.run(session())


def test_messages_that_make_no_sense_do_not_end_the_server(editor: Any, wren: Wren) -> None:
    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--threshold", "0") as e:
            protocol = e.client.protocol
            change = b'{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"no": 1}}'
            for body in (b"{not json", change, b"[" * 100_000):
                protocol.writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
                assert "Error in server" in await e.message()
            with pytest.raises(JsonRpcException, match="Method Not Found"):
                await protocol.send_request_async("no/such/request", {})
            e.open(URI, CODE)
            assert len(await e.diagnostics(URI, 1)) == 2

    asyncio.run(session())


def test_the_log_tells_what_was_done(editor: Any, wren: Wren, tmp_path: Path) -> None:
    log = tmp_path / "lsp.log"

    async def session() -> None:
        async with editor("--bundle", str(wren("single")), "--log", str(log)) as e:
            e.open(URI, CODE)
            await e.diagnostics(URI, 1)

    asyncio.run(session())
    text = log.read_text(encoding="utf-8")
    assert "tiny, safe, vulnerable, unknown" in text
    assert f"{URI}, version 1: judged in" in text
    assert "return a" not in text


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    done = compress("--log", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot write there" in done.stderr


def test_the_server_ends_with_its_editor(wren: Wren) -> None:
    assert compress("--bundle", str(wren("single"))).returncode == 0


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['pygls'] = None\n"
        "from codewren.cli.app import main; sys.argv = ['compress', 'lsp']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == "compress: pygls is not installed: run pip install 'codewren[lsp]'\n"


def compress(*flags: str) -> subprocess.CompletedProcess[str]:
    """A server whose editor is gone at once."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "codewren", "lsp", *flags],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
