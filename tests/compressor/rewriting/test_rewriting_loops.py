from __future__ import annotations

from random import Random

import pytest

from codewren.rewriting import Code, exchanges, read_code, with_other_loops
from codewren.source import Language


def read(text: str, language: Language) -> Code:
    code = read_code(text, language)
    assert code is not None, text
    return code


def c(body: str) -> Code:
    return read(f"int f(int n, int i) {{\n{body}\n}}", Language.C)


def java(body: str) -> Code:
    return read(f"int f(int n, int i) {{\n{body}\n}}", Language.JAVA)


def after(code: Code) -> str:
    """The body on one line, without its outermost braces."""
    made = with_other_loops(code, Random(0))
    return " ".join(made[made.index("{") + 1 : made.rindex("}")].split())


@pytest.mark.parametrize(
    ("body", "other"),
    [
        ("while (n--) g(n);", "for (; n--; ) g(n);"),
        ("while (n, i) ;", "for (; n, i; ) ;"),
        ("while (/* a */ n // b\n) { continue; }", "for (; /* a */ n // b ; ) { continue; }"),
        ("for (;;) g();", "while (1) g();"),
        ("for (; n; ) { if (i) continue; }", "while (n) { if (i) continue; }"),
        ("for (i = 0; i < n; i++) { g(i); }", "i = 0; while (i < n) { g(i); i++; }"),
        ("for (i = 0, n = 1; n; i++, n--) g();", "i = 0, n = 1; while (n) { g(); i++, n--; }"),
        ("for (int k = 0; k < n; k++) g(k);", "{ int k = 0; while (k < n) { g(k); k++; } }"),
        ("if (n) for (i = 0; i < n; i++) g(); else h();",
         "if (n) { i = 0; while (i < n) { g(); i++; } } else h();"),
        ("if (n) for (;; i++) if (i) break; else h();",
         "if (n) while (1) { if (i) break; else h(); i++; }"),
        ("for (;; i++) { int i = 3; g(i); }", "while (1) { { int i = 3; g(i); } i++; }"),
        ("for (;; i++) { int k = i; g(k); }", "while (1) { int k = i; g(k); i++; }"),
        ("for (;; i++) { T *k = g(); h(k); }", "while (1) { T *k = g(); h(k); i++; }"),
        ("for (;; i++) { T k = g(); h(k); }", "while (1) { { T k = g(); h(k); } i++; }"),
        ("for (;; i++) { T *k = g(), i = 0; h(k); }",
         "while (1) { { T *k = g(), i = 0; h(k); } i++; }"),
        ("for (;; i++) { extern int k; h(k); }", "while (1) { { extern int k; h(k); } i++; }"),
        ("for (;; i++) { LOCK k = g(); h(k); }", "while (1) { { LOCK k = g(); h(k); } i++; }"),
        ("for (;; i++) { enum { A, i } k; h(k); }",
         "while (1) { { enum { A, i } k; h(k); } i++; }"),
        ("for (;; i++) { g();\n#ifdef A\nint i;\n#endif\n}",
         "while (1) { { g(); #ifdef A int i; #endif } i++; }"),
        ("for (;; i++) { return n; }", "while (1) { return n; i++; }"),
        ("for (;; i++) { goto l; l: ; }", "while (1) { goto l; l: ; i++; }"),
        ("for (;; i++) { do continue; while (n); g(); }",
         "while (1) { do continue; while (n); g(); i++; }"),
        ("case 1: for (i = 0; n; ) g();", "case 1: { i = 0; while (n) g(); }"),
        ("for (;; i++) { g(); // why\n}", "while (1) { g(); // why i++; }"),
        ("for (;; i++) g(); // why\n", "while (1) { g(); i++; } // why"),
        ("for (;; i++) FFMAX(n, i);", "while (1) { FFMAX(n, i); i++; }"),
    ],
)  # fmt: skip
def test_c_loops_take_the_other_form(body: str, other: str) -> None:
    assert after(c(body)) == other


@pytest.mark.parametrize(
    "body",
    [
        "for (;; i++) { if (i) continue; }",
        "for (;; i++) if (i) continue;",
        "for (;; i++) { switch (i) { case 1: continue; } }",
        "for (;; i++) { do { g(); } while (({ continue; 1; })); }",
        "for (;; i++) { each(n) { continue; } }",
        "for (;; i++) { SKIP_IF(i); }",
        "for (;; i++) { UNLESS(i) { g(); } }",
        "for (;; i++) { n = TRY(i); }",
        "for (;; i++) { NEXT; }",
        'for (;; i++) {\n#include "body.c"\n}',
        "for (;; i++) {\n#define i n\n}",
        "for (;; ({ if (n) continue; i++; })) g();",
        "for (i = 0; /* why */ ; ) g();",
        "for (;;) /* why */ g();",
        "l: for (;;) g();",
        "[[unroll]] for (;;) g();",
        "#pragma omp parallel for\nfor (i = 0; i < n; i++) g();",
        "#ifdef OMP\n#pragma omp for\n#endif\nfor (i = 0; i < n; i++) g();",
        "for (;; i++) { g_autoptr(T) k = g(); h(k); }",
        "#pragma omp for\n/* why */\nfor (i = 0; i < n; i++) g();",
        "n = ({ for (;;) g(); 1; });",
        "G({ for (int k = 0, j = 1; ;) g(); });",
        "do { g(); } while (n);",
        "REPEAT(n) { g(); } while (n);",
        "REPEAT(n) { g(); } /* why */ while (n);",
    ],
)
def test_c_loops_that_might_mean_another_thing_stay(body: str) -> None:
    code = c(body)
    assert not exchanges(code)
    assert with_other_loops(code, Random(0)) == code.text


@pytest.mark.parametrize(
    ("body", "other"),
    [
        ("while (true) { g(); }", "for (; true; ) { g(); }"),
        ("l: while (n > 1) { continue l; }", "l: for (; n > 1; ) { continue l; }"),
        ("for (;;) { return 1; }", "while (true) { return 1; }"),
        ("for (i = 0, n = 3; i < n; i++, n--) g();",
         "i = 0; n = 3; while (i < n) { g(); i++; n--; }"),
        ("for (int k = 0, j = 1; k < n; k++) { int q = k; g(q); }",
         "{ int k = 0, j = 1; while (k < n) { int q = k; g(q); k++; } }"),
        ("for (; n > 1; field++) { int field = 3; g(field); }",
         "while (n > 1) { { int field = 3; g(field); } field++; }"),
        ("for (; n > 1; n--) { class A { } g(); }",
         "while (n > 1) { { class A { } g(); } n--; }"),
        ("for (; n > 1; n--) ;", "while (n > 1) { ; n--; }"),
        ("for (; n > 1; n--) { }", "while (n > 1) { n--; }"),
        ("for (; n > 1; n--) { if (i > 1) return 1; }",
         "while (n > 1) { if (i > 1) return 1; n--; }"),
        ("for (; n > 1; n--) { if (i > 1) return 1; else g(); }",
         "while (n > 1) { if (i > 1) return 1; else g(); n--; }"),
        ("for (; n > 1; n--) { try { return 1; } catch (E e) { g(); } }",
         "while (n > 1) { try { return 1; } catch (E e) { g(); } n--; }"),
        ("for (; n > 1; n--) { synchronized (this) { g(); } }",
         "while (n > 1) { synchronized (this) { g(); } n--; }"),
        ("switch (n) { case 1: for (i = 0; i < n; ) g(); }",
         "switch (n) { case 1: { i = 0; while (i < n) g(); } }"),
    ],
)  # fmt: skip
def test_java_loops_take_the_other_form(body: str, other: str) -> None:
    assert after(java(body)) == other


@pytest.mark.parametrize(
    "body",
    [
        "for (;; i++) { if (i > n) continue; g(); }",
        "for (;; i++) { return 1; }",
        "for (;; i++) return 1;",
        "for (;; i++) { g(); break; }",
        "for (;; i++) { throw e; }",
        "for (;; i++) { if (n > 1) break; else return 1; }",
        "for (;; i++) { if (n > 1) { g(); break; } else if (n > 0) { throw e; } else break; }",
        "for (;; i++) { synchronized (this) { break; } }",
        "for (;; i++) { try { return 1; } catch (E e) { break; } }",
        "for (;; i++) { try { g(); } finally { return 1; } }",
        "for (;; i++) { do { return 1; } while (n > 1); }",
        "for (;; i++) { l: { return 1; } }",
        "for (;; i++) { switch (n) { default: return 1; } }",
        "l: for (;; i++) { do { continue l; } while (n > 1); }",
        "l: for (i = 0; i < n; ) { g(); }",
        "for (; !(o instanceof String s); ) { o = g(); }",
        "for (;; g(() -> { })) { h(); }",
        "for (int k : items) { g(k); }",
        "do { g(); } while (n > 1);",
    ],
)
def test_java_loops_stay_where_the_other_form_would_be_wrong(body: str) -> None:
    code = java(body)
    assert not exchanges(code)
    assert with_other_loops(code, Random(0)) == code.text


@pytest.mark.parametrize(
    ("inner", "completes"),
    [
        ("while (true) { g(); }", False),
        ("final boolean t = true; while (t) { g(); }", False),
        ("while (n > 1) { g(); }", False),  # n may be a constant, as far as this looks
        ("while (n > 1) { n--; }", True),
        ("while (g()) { return 1; }", True),
        ("for (;;) { g(); }", False),
        ("for (int k = 0; k < 3; k++) { return 1; }", True),
        ("for (int k : items) { return 1; }", True),
    ],
)
def test_a_loop_within_java_must_be_known_to_end(inner: str, *, completes: bool) -> None:
    text = f"int f(int n) {{ for (int i = 0; i < n; i++) {{ {inner} }} }}"
    spans = [span for span, _ in exchanges(read(text, Language.JAVA))]
    assert any(text[start:].startswith("for (int i") for start, _ in spans) == completes


def test_python_has_no_loop_of_both_forms() -> None:
    code = read("def f(n):\n    while n:\n        n -= 1\n", Language.PYTHON)
    assert with_other_loops(code, Random(0)) == code.text


def test_lines_are_indented_as_they_were() -> None:
    code = c("\tfor (i = 0; i < n; i++) {\n\t\tg(i);\n\t}\n")
    body = "\ti = 0;\n\twhile (i < n) {\n\t\tg(i);\n\t\ti++;\n\t}\n"
    assert with_other_loops(code, Random(0)) == f"int f(int n, int i) {{\n{body}\n}}"


def test_loops_within_loops_change_one_at_a_time_and_come_back() -> None:
    text = "while (n) while (i) g(); while (i) { h(); }"
    seen = {with_other_loops(c(text), Random(seed)) for seed in range(30)}
    heads = {
        " ".join(w for w in each.replace("(", " ").split() if w in ("for", "while"))
        for each in seen
    }
    assert {"for while while", "while for while", "for while for", "while while for"} <= heads
    assert "for for for" not in heads
