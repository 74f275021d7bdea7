from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.source import Language, ParseTimeoutError, find_functions, functions, language_of

SOURCES = {
    "c": (
        "static int *add(int a[], int b) { return 0; }\nint (*get(void))(int) { return 0; }\n"
        "int declared(void);\nvoid g() {}\n",
        ["add", "get", "g"],
    ),
    "cpp": (
        "class A { int m() const { return 1; } ~A() {} A(int x) : y(x) {}\n"
        "int &r() { return q; } };\n"
        "int A::n(int x) { auto l = [](int y) { return y; }; return l(x); }\n"
        "template <class T> T id(T t) { return t; }\nA::A() = default;",
        ["m", "~A", "A", "r", "n", "id"],
    ),
    "java": (
        "class A { A() {} int f(int x) { Runnable r = () -> {}; return x; } abstract void g();\n"
        '@Override public String toString() { return ""; } }',
        ["A", "f", "toString"],
    ),
    "python": (
        "@cached\ndef f(a):\n  def g(): pass\n  return g\nclass A:\n  async def m(self):\n"
        "    return lambda x: x\n",
        ["f", "g", "m"],
    ),
    "javascript": (
        "function f(a) { return a; }\nconst g = (x) => x + 1;\nclass A { m() {} get p() {}\n"
        "h = () => 3; }\n"
        "const o = { k: function () { return 4; }, async z() {} };\na.b = function* () {};\n"
        "[1].map(x => x);",
        ["f", "g", "m", "p", "h", "k", "z", "a.b"],
    ),
    "typescript": (
        "function f(a: number): number { return a; }\nfunction o(a: string): void;\n"
        "class A<T> { private m(): T { return this.t; } h = (): number => 3; }\n"
        "abstract class B { abstract n(): void }",
        ["f", "m", "h"],
    ),
    "typescriptreact": ("const C = (p: P) => <div>{p.x}</div>;", ["C"]),
    "go": (
        "package a\nfunc F(a int) int { return a }\nfunc (r *R) M() { g := func() {}; g() }\n",
        ["F", "M"],
    ),
    "rust": (
        "fn f(a: i32) -> i32 { a }\nimpl A { pub fn m(&self) {} }\n"
        "trait T { fn d(&self) {} fn n(&self); }",
        ["f", "m", "d"],
    ),
}


@pytest.mark.parametrize("language", Language)
def test_the_functions_of_a_language_are_found_by_name(language: Language) -> None:
    source, names = SOURCES[language.value]
    assert [f.name for f in find_functions(source.encode(), language)] == names


def test_a_function_knows_where_it_stands() -> None:
    source = "/* é */\nint f() {\n  return 'é';\n}\n".encode()
    (f,) = find_functions(source, Language.C)
    assert (f.start_line, f.end_line) == (2, 4)
    assert source[f.start_byte : f.end_byte].decode() == f.text == "int f() {\n  return 'é';\n}"


def test_languages_by_suffix() -> None:
    paths = ["a b/x.C", "x.h", "x.hpp", "x.tsx", "x.d.ts", "x.txt", "Makefile", ""]
    assert [language_of(p) for p in paths] == [
        "c", "c", "cpp", "typescriptreact", "typescript", None, None, None,
    ]  # fmt: skip


def test_a_macro_before_the_type_does_not_hide_the_name() -> None:
    source = b"API number_t first (int a) { return 0; }\nAPI void *second(void) { return 0; }\n"
    assert [f.name for f in find_functions(source, Language.C)] == ["first", "second"]


def test_a_header_of_cpp_is_known_by_its_lines() -> None:
    assert language_of("a.h", b"#pragma once\n  class B {};\n") is Language.CPP
    assert language_of("a.h", b"template <class T> T f(T t);") is Language.CPP
    assert language_of("a.h", b"struct class_s { int private; };\n/* class A */") is Language.C
    assert language_of("a.c", b"class A {};") is Language.C


def test_a_parser_that_ponders_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functions, "MOST_SECONDS", 0.05)
    with pytest.raises(ParseTimeoutError, match="too long"):
        find_functions(b"( { [ " * 100_000, Language.C)


@given(st.binary(max_size=300), st.sampled_from(list(Language)))
def test_any_bytes_are_read(data: bytes, language: Language) -> None:
    for function in find_functions(data, language):
        assert 0 <= function.start_byte < function.end_byte <= len(data)


@pytest.mark.parametrize("unit", ["{", "}", "(", "int f(){", "def f():\n ", "\0", "'\""])
def test_deep_nonsense_is_read_to_its_end(unit: str) -> None:
    data = unit.encode() * (200_000 // len(unit))
    assert find_functions(data + b"\nint last(void) { return 1; }", Language.C) is not None


def test_deeply_nested_functions_are_all_found() -> None:
    depth = 300
    source = "".join(f"{' ' * i}def f{i}():\n" for i in range(depth)) + " " * depth + "pass\n"
    assert len(find_functions(source.encode(), Language.PYTHON)) == depth
