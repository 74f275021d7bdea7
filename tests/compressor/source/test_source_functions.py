"""Functions of source files: what is one, where it lies, and that no input breaks the search."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.source import SUFFIXES, Language, find_functions, language_of
from codewren.source.languages import GRAMMARS, grammar_of
from codewren_runtime.errors import DataError

SOURCES = {
    Language.C: (
        "static int *first(int a)\n{ return 0; }\n"
        "void (*signal(int s, void (*fn)(int)))(int) { return fn; }\n"
        "int (wrapped)(void) { return 1; }\nint prototype(void);\n"
        "API_MACRO int second(void) { return 2; }\nFOO(list) { y(); }\n"
        "int old(a, b) int a; char b; { return a; }\n"
        "#ifdef X\nint third(void) {\n#else\nint third(int a) {\n#endif\n  return 1;\n}\n",
        ["first", "signal", "wrapped", "second", "FOO(list)", "old", "third"],
    ),
    Language.CPP: (
        "namespace n { template<class T> struct A { A() : x(1) {} ~A() {}\n"
        "T operator()(int a) const { return x; } operator bool() const { return true; }\n"
        "A(A&&) = default; T& r() { return x; } T x; };\n"
        "int A<int>::foo(int a) { auto l = [](int b) { return b; }; "
        "struct L { void in() {} }; return l(a); } }\n"
        "int tried() try { return 1; } catch (...) { return 2; }\n",
        ["A", "~A", "operator()", "operator bool", "r", "A<int>::foo", "tried"],
    ),
    Language.JAVA: (
        "class A { A() { } int f(int a) { Runnable r = () -> { }; return a; }\n"
        "abstract void g(); Runnable q = new Runnable() { public void run() { x(); } };\n"
        "record R(int a) { R { } } interface I { default void d() {} void e(); } }\n",
        ["A", "f", "run", "R", "d"],
    ),
    Language.PYTHON: (
        "@decorated\ndef f(a):\n    def inner(): pass\n    return lambda: 1\n\n"
        "class A:\n    async def m(self):\n        return 1\n    if x:\n"
        "        def n(self): return 2\ng = lambda: 3\n",
        ["f", "m", "n"],
    ),
    Language.JAVASCRIPT: (
        "function f(a) { function g() {} }\nconst h = (a) => a + 1;\n"
        "exports.x = function () { return 1 };\n"
        "class A { m() { return 1 } z = () => { return 2 }; static async *gen() {} }\n"
        "const o = { p: function() {}, q() {}, get r() { return 1 } };\n"
        "(function () { function inside() { } })();\nlist.map((x) => x);\n",
        ["f", "h", "exports.x", "m", "z", "gen", "p", "q", "r", "inside"],
    ),
    Language.TYPESCRIPT: (
        "function f<T>(a: T): T { return a }\n"
        "abstract class A { private x = 1; m(): number { return 1 } abstract q(): void;\n"
        "z = () => { return 2 }; constructor(private a: string) {} }\n"
        "const g = async (a: number): Promise<void> => { await a };\n"
        "declare function d(): void; interface I { m(): void }\n",
        ["f", "m", "z", "constructor", "g"],
    ),
    Language.TSX: (
        "const A = () => <div/>;\nexport function B(p: P) { return <A x={p.x}/> }\n",
        ["A", "B"],
    ),
    Language.GO: (
        "package p\nfunc f(a int) int { g := func() {}; return a }\n"
        "func (s *S) m() { }\nfunc external()\n",
        ["f", "m"],
    ),
    Language.RUST: (
        "fn f<T>(a: T) -> T { fn inner() {} a }\n"
        "impl A { pub async fn m(&self) { let c = |x| x; } }\n"
        "trait T { fn sig(&self); fn d(&self) { } }\nmod q { #[test] fn t() { } }\n",
        ["f", "m", "d", "t"],
    ),
}


@pytest.mark.parametrize("language", Language)
def test_functions_and_methods_are_found_outermost_only(language: Language) -> None:
    source, names = SOURCES[language]
    assert [function.name for function in find_functions(source.encode(), language)] == names


@pytest.mark.parametrize("language", Language)
def test_the_tables_name_what_the_grammar_has(language: Language) -> None:
    """A grammar that renames a node or a field would make its functions vanish unseen."""
    table, grammar = GRAMMARS[language], grammar_of(language)
    for node in (*table.functions, *table.opaque):
        assert grammar.id_for_node_kind(node, True), node
    for named in table.functions.values():
        for field in (named.name, named.value, "body"):
            assert field is None or grammar.field_id_for_name(field), field


def test_every_language_has_a_suffix() -> None:
    assert set(SUFFIXES.values()) == set(Language)
    assert language_of("a b/C.H") is Language.C
    assert language_of("notes.txt") is None
    assert language_of("Makefile") is None


def test_a_header_of_cpp_is_read_as_cpp() -> None:
    source = b"#pragma once\nnamespace a { class B { public: int c() const { return 1; } }; }\n"
    assert [f.name for f in find_functions(source, Language.C)] == ["c"]


def test_lines_bytes_and_text_agree_and_a_method_loses_its_indentation() -> None:
    source = "# é\r\nclass A:\r\n    def m(self,\r\n          x):\r\n\r\n        return 'é'\r\n"
    (function,) = find_functions(source.encode(), Language.PYTHON)
    assert (function.start_line, function.body_line, function.end_line) == (3, 6, 6)
    assert function.text == "def m(self,\r\n      x):\r\n\r\n    return 'é'"
    whole = source.encode()[function.start_byte : function.end_byte].decode()
    assert whole.startswith("def m(self,\r\n          x)")
    assert whole.endswith("'é'")


def test_bytes_that_are_no_utf8_keep_the_offsets_right() -> None:
    source = b'/* \xe9\xff */ int f(void) { return "\xe9"[0]; }\nint g(void) { return 1; }\n'
    first, second = find_functions(source, Language.C)
    assert source[first.start_byte : first.end_byte].endswith(b'"\xe9"[0]; }')
    assert "�" in first.text
    assert source[second.start_byte :].startswith(b"int g")


def test_a_macro_before_the_type_does_not_hide_the_name() -> None:
    source = b"API number_t first (int a) { return 0; }\nAPI void *second(void) { return 0; }\n"
    assert [f.name for f in find_functions(source, Language.C)] == ["first", "second"]


def test_syntax_errors_do_not_hide_the_other_functions() -> None:
    source = b"int a(void) { return 1; }\nint @@ %% )( ;\nint b(void) { return 2; }\n"
    assert [f.name for f in find_functions(source, Language.C)] == ["a", "b"]


@pytest.mark.parametrize(
    "source",
    [
        b"int f(){" + b"{" * 9_000 + b"}" * 9_000 + b"}",
        b"{} " * 300_000,
        b"int f(){ return " + b"(" * 9_000 + b"1" + b")" * 9_000 + b";}",
        b"\x00\xff" * 100_000,
        b"",
    ],
    ids=["nested", "many braces", "parentheses", "no text", "empty"],
)
def test_hostile_sources_end_quickly(source: bytes) -> None:
    names = [f.name for f in find_functions(source, Language.C, cpu_seconds=60)]
    assert names in ([], ["f"])


def test_a_parser_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(DataError, match="too long"):
        find_functions(b"int f(int a) { return a; }\n" * 40_000, Language.C, cpu_seconds=0.01)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(Language), st.data())
def test_any_bytes_are_searched_and_functions_do_not_overlap(
    language: Language, data: st.DataObject
) -> None:
    good = SOURCES[language][0].encode()
    cut = data.draw(st.integers(0, len(good)))
    source = good[:cut] + data.draw(st.binary(max_size=40)) + good[cut:]
    end = 0
    for function in find_functions(source, language):
        assert end <= function.start_byte < function.end_byte <= len(source)
        end = function.end_byte
        assert function.start_line == source.count(b"\n", 0, function.start_byte) + 1
        assert function.end_line == source.count(b"\n", 0, function.end_byte) + 1
        assert function.start_line <= function.body_line <= function.end_line


@pytest.mark.parametrize("opening", [b"{", b"f(", b"["])
def test_brackets_without_end_are_refused_before_they_fill_the_memory(opening: bytes) -> None:
    with pytest.raises(DataError, match="too deep"):
        find_functions(opening * 500_000, Language.C)
    assert find_functions(b"int f(void) { return 1; }\n" * 20_000, Language.C)
