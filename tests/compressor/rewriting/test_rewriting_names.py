from __future__ import annotations

import ast
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.data import Fields, evenly, read_examples
from codewren.rewriting import Code, name_pool, other_names, read_code
from codewren.rewriting.reserved import usable
from codewren.rewriting.syntax import WORD
from codewren.source import Language
from codewren_runtime.text import normalise

C_FUNCTION = """\
static av_cold int decode(Ctx *s, const uint8_t *buf, int (*cb)(int q), int MAX_N)
{
    int i, len = s->len, table[sizeof(buf)];  /* len stays in here: "len" */
    extern int outside;
    int proto(int);
    struct Pair p = {.len = len};
    for (int k = 0; k < len; k++) {
        int i = k;
        if (cb(i)) goto fail;
    }
    QLIST_REMOVE(s, next);
    (x) & i;
    asm("nop %[tmp]" : [tmp] "=r"(i));
#ifdef USE_TAIL
    buf++;
#endif
fail:
    return outside + p.len + MAX_N + FFMAX(len, i) + global;
}
"""

JAVA_METHOD = """\
public static <T> int count(final String name, List<T> items) throws IOException {
    int count = 0, length = name.length();
    for (T item : items) { count += item.length; this.length = count; }
    try (Reader in = open(name)) { in.read(); } catch (IOException e) { log(e); }
    Function<T, T> f = x -> x;
    new Base() { int own; void run() { own = inherited; } };
    outer: while (true) { break outer; }
    switch (count) { case LIMIT: return size; default: }
    return count(length, Base::count) + undeclared;
}
"""

PYTHON_FUNCTION = '''\
def walk(root, *, depth=0):
    """root and depth."""
    found = [node.found for node in root if depth]
    global counter
    counter = len(found)
    print(f"{label=}", walk(root, depth=1))
    return found
'''


def read(text: str, language: Language) -> Code:
    code = read_code(text, language)
    assert code is not None
    return code


def test_c_locals_and_parameters_are_found_and_nothing_else() -> None:
    names = read(C_FUNCTION, Language.C).names
    assert set(names) == {"buf", "len", "table", "k", "p"}
    # The third is an operand of assembly, the others a callee, a macro's argument, a constant.


def test_java_locals_are_found_also_in_lambdas_and_resources() -> None:
    names = read(JAVA_METHOD, Language.JAVA).names
    assert set(names) == {"name", "items", "count", "length", "item", "in", "e", "f", "x"}


def test_python_locals_are_found_but_for_keywords_of_calls() -> None:
    assert set(read(PYTHON_FUNCTION, Language.PYTHON).names) == {"root", "found", "node"}


def test_fields_labels_methods_and_comments_keep_their_names() -> None:
    code = read(C_FUNCTION, Language.C)
    text = code.renamed({"len": "size"})
    assert "int i, size = s->len" in text
    assert '/* len stays in here: "len" */' in text
    assert "{.len = size}" in text
    java = read(JAVA_METHOD, Language.JAVA)
    text = java.renamed({"count": "total", "length": "wide"})
    assert "this.length = total;" in text
    assert "return count(wide, Base::count)" in text


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("int f(void) { g(x); int x = 1; return x; }", "x"),  # the first is a global
        ("int f(void) { { int x = 1; } return x; }", "x"),
        ("int f(int x) { return ((x)) * sizeof(struct x); }", "x"),
        ("int f(int x) { x y; return y; }", "x"),
        ("int f(int x) {\n#define G(a) a+x\nreturn G(1); }", "x"),
        ("int f(int x) {\n#if x > 1\nx++;\n#endif\nreturn x; }", "x"),
        ("int f(int next) { LIST_FOREACH(a, b, next); return next; }", "next"),
        ("int f(int x) { return x(1); }", "x"),
        ("int f(int X_MAX) { return X_MAX; }", "X_MAX"),
        ("int f(int x) { return container_of(p, Type, x); }", "x"),
    ],
)
def test_a_name_that_may_be_another_thing_is_left(text: str, pinned: str) -> None:
    assert pinned not in read(text, Language.C).names


def test_new_names_must_be_free() -> None:
    code = read(C_FUNCTION, Language.C)
    for name in ("i", "global", "fail", "int", "errno", "MAX", "tail_t", "a b", "", "1x", "class"):
        assert not code.accepts(name)
        with pytest.raises(ValueError, match="not free"):
            code.renamed({"len": name})
    with pytest.raises(ValueError, match="not free"):
        code.renamed({"len": "size", "buf": "size"})
    with pytest.raises(ValueError, match="no local"):
        code.renamed({"cb": "size"})


@pytest.mark.parametrize("text", ["", "int f(", "}}}", "int f() { @ }", "def f(:\n", "\ud800 x"])
def test_what_cannot_be_parsed_is_none(text: str) -> None:
    for language in (Language.C, Language.JAVA, Language.PYTHON):
        code = read_code(text, language)
        assert code is None or not code.names


NAMES = st.from_regex(r"[a-z_][a-zA-Z0-9_]{0,12}", fullmatch=True)


@given(
    st.sampled_from([(C_FUNCTION, Language.C), (JAVA_METHOD, Language.JAVA),
                     (PYTHON_FUNCTION, Language.PYTHON)]),
    st.lists(NAMES, min_size=9, max_size=9, unique=True),
)  # fmt: skip
def test_the_tree_stays_and_renaming_back_gives_the_text(
    source: tuple[str, Language], wanted: list[str]
) -> None:
    text, language = source
    code = read(text, language)
    mapping = {old: new for old, new in zip(code.names, wanted, strict=False) if code.accepts(new)}
    after = code.renamed(mapping)
    again = read(after, language)
    assert list(again.names) == [mapping.get(name, name) for name in code.names]
    assert put_back(again, {new: old for old, new in mapping.items()}) == text
    if language is Language.PYTHON:
        assert _anonymous(text) == _anonymous(after)


def put_back(code: Code, mapping: dict[str, str]) -> str:
    """Without asking whether the names are free: a comment or a field may hold the old ones."""
    text = code.text.encode()
    places = sorted(((span, to) for name, to in mapping.items() for span in code.names[name]))
    for (start, end), to in reversed(places):
        text = text[:start] + to.encode() + text[end:]
    return text.decode()


def _anonymous(text: str) -> str:
    return re.sub(r"(id|arg)='\w+'", "", ast.dump(ast.parse(text)))


@given(st.text(max_size=12), st.sampled_from(list(Language)))
def test_usable_names_are_words(name: str, language: Language) -> None:
    if usable(name, language):
        assert WORD.fullmatch(name) or name.startswith("_")


def test_python_of_the_standard_library_keeps_its_tree() -> None:
    tried = 0
    for path in sorted(Path(ast.__file__).parent.glob("*.py"))[:20]:
        text = path.read_text(encoding="utf-8")
        for function in ast.parse(text).body:
            segment = ast.get_source_segment(text, function) or ""
            if not isinstance(function, ast.FunctionDef) or len(segment) > 4000:
                continue
            code = read(segment, Language.PYTHON)
            mapping = {name: f"fresh_{i}" for i, name in enumerate(code.names)}
            again = read(code.renamed(mapping), Language.PYTHON)
            assert set(again.names) == set(mapping.values())
            assert put_back(again, {new: old for old, new in mapping.items()}) == segment
            tried += bool(mapping)
    assert tried > 50


def test_other_names_of_real_locals_leave_the_nameless_form(shared: Path) -> None:
    """Of all but a few functions: what multiplies as in `a *b` reads as a declaration."""
    path = shared / "data" / "devign" / "valid.jsonl.gz"
    data = read_examples(path, Fields(), None, require_label=False)
    texts = [data.examples[row].text for row in evenly(len(data.examples), 300)]
    pool = name_pool(texts, Language.C)
    codes = [code for text in texts if (code := read_code(text, Language.C)) and code.names]
    same = [
        normalise(other_names(code, pool, Random(row)), "nameless")
        == normalise(code.text, "nameless")
        for row, code in enumerate(codes)
    ]
    assert len(same) > 200
    assert sum(same) >= 0.99 * len(same)
