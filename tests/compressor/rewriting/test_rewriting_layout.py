from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from codewren.rewriting import (
    Code,
    name_pool,
    other_names,
    read_code,
    recommented,
    reformatted,
    rewritten,
    with_dead_code,
)
from codewren.rewriting.parsing import parsed
from codewren.rewriting.syntax import leaves
from codewren.source import Language

C_TEXT = """\
static int f(int a, char *b) { // opens
    int i; /* two
    lines */
    for (i = 0; i < a; i++) {
#ifdef DEBUG  /* why */
  log("/* no comment */ // none", i);
#endif
        b[i] = '"'; // last
    }
    return a;
}
"""
PYTHON_TEXT = '''\
def f(a, b=1):
    """Doc # kept."""
    x = "# no comment"  # a comment
    if a:
        # alone
        return x
    return (a +
            b)
'''
CHANGES = (reformatted, recommented)


def tokens(text: str, language: Language) -> list[str]:
    tree = parsed(text.encode(), language)
    assert tree is not None
    found = [(path[-1].node.text or b"").decode() for path in leaves(tree)]
    return [
        token.strip() for token in found if token.strip() and not token.startswith(("//", "/*"))
    ]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seed", range(6))
def test_c_keeps_its_tokens_and_its_directives(
    change: Callable[[Code, Random], str], seed: int
) -> None:
    code = read_code(C_TEXT)
    assert code is not None
    after = change(code, Random(seed))
    assert after != C_TEXT
    assert tokens(after, Language.C) == tokens(C_TEXT, Language.C)
    lines = [line.strip().split()[0] for line in after.splitlines() if line.strip()]
    assert lines.count("#ifdef") == lines.count("#endif") == 1
    assert '"/* no comment */ // none"' in after


@pytest.mark.parametrize("change", CHANGES)
def test_python_keeps_its_tree(change: Callable[[Code, Random], str]) -> None:
    code = read_code(PYTHON_TEXT)
    assert code is not None
    after = change(code, Random(1))
    assert after != PYTHON_TEXT
    assert ast.dump(ast.parse(after)) == ast.dump(ast.parse(PYTHON_TEXT))
    assert "a comment" not in after


JAVA_TEXT = """\
class Pair {
    Pair(int a) {
        this(a, a);
        int b = a;
        switch (b) { case 1: b++; break; default: b--; }
        return;
    }
}
"""


@pytest.mark.parametrize(
    ("text", "language"),
    [(C_TEXT, Language.C), (JAVA_TEXT, Language.JAVA), (PYTHON_TEXT, Language.PYTHON)],
)
@pytest.mark.parametrize("seed", range(5))
def test_dead_code_is_one_statement_more(text: str, language: Language, seed: int) -> None:
    code = read_code(text, language)
    assert code is not None
    after = with_dead_code(code, Random(seed))
    assert read_code(after, code.language) is not None
    before, rest = text.splitlines(), iter(after.splitlines())
    assert len(after) > len(text)
    assert all(any(line.endswith(old.strip()) for line in rest) for old in before)
    if code.language is Language.JAVA:
        assert after.index("this(a, a)") < after.index("while" if "while" in after else "if")
    if code.language is Language.PYTHON:
        assert ast.get_docstring(ast.parse(after).body[0]) == "Doc # kept."  # type: ignore[arg-type]


def test_names_come_from_other_texts() -> None:
    pool = name_pool(["int g(int width, int height) { return width + height + width; }", "}{"])
    assert sorted(pool) == ["height", "width"]
    code = read_code("int f(int a) { return a; }")
    assert code is not None
    assert other_names(code, pool, Random(0)) in {
        f"int f(int {name}) {{ return {name}; }}" for name in pool
    }
    assert other_names(code, [], Random(0)) == code.text


def test_a_text_that_cannot_be_parsed_stays() -> None:
    assert rewritten("int f( {", ["a"], Random(0)) == "int f( {"


@pytest.mark.parametrize(
    ("name", "field", "language"),
    [
        ("devign/valid.jsonl.gz", "func", Language.C),
        ("bigclonebench/functions.jsonl.gz", "code", Language.JAVA),
    ],
)
def test_real_functions_keep_their_tokens(
    shared: Path, name: str, field: str, language: Language
) -> None:
    changed = 0
    with gzip.open(shared / "data" / name, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)[field] for line in islice(lines, 0, 2_000, 20)]
    for text in texts:
        code = read_code(text, language)
        for change in CHANGES if code else ():
            assert code is not None
            after = change(code, Random(1))
            assert tokens(after, language) == tokens(text, language)
            changed += after != text
    assert changed > len(texts)
