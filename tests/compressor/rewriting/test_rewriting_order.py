from __future__ import annotations

from random import Random

import pytest

from codewren.rewriting import Code, read_code, reordered, swaps
from codewren.source import Language


def read(text: str, language: Language) -> Code:
    code = read_code(text, language)
    assert code is not None, text
    return code


def c(body: str, parameters: str = "int n, int m") -> Code:
    return read(f"int f({parameters}) {{ int a, b; float x; char *s;\n{body} }}", Language.C)


def java(body: str, parameters: str = "int n, int m, String s") -> Code:
    return read(f"int f({parameters}) {{ int a, b;\n ;{body} }}", Language.JAVA)


def python(body: str) -> Code:
    return read(f"def f(n):\n{body}\n", Language.PYTHON)


@pytest.mark.parametrize(
    "body",
    [
        "a = 1; b = 2;",
        "a = n;\n\t\tb += m * 2;",
        "a++; --b;",
        "a = (n > 3) ? -m : (long)n / 2; x = 'c' + 1.5;",
        "int p = 1, *q = s; const unsigned long r = 2;",
        "{ a = 1; b = 2; }",
        "if (n) { a = 1; b = m; }",
        "s = NULL; a = n << 2;",
        "static_(); a = 1; b = 2; g(a);",
    ],
)
def test_c_statements_that_do_not_touch_change_places(body: str) -> None:
    code = c(body)
    places = swaps(code)
    first = code.text.splitlines()[0]
    inside = [place for place in places if place[0][0] >= len(first)]
    assert len(inside) == 1
    after = reordered(code, Random(0))
    assert after != code.text
    assert sorted(after) == sorted(code.text)


@pytest.mark.parametrize(
    "body",
    [
        "a = 1; b = a;",
        "a = b; b = 1;",
        "a = 1; a = 2;",
        "a++; b = a;",
        "a += 1; a -= 2;",
        "int p = 1; int q = p;",
        "int q = n; int n = 1;",  # the first n is another one
        "int p = 1; a = 2;",  # a declaration after a statement, or behind a label
        "a = g(); b = 1;",
        "a = LIMIT; b = 1;",
        "a = global; b = 1;",
        "global = 1; other = 2;",
        "a = *s; b = 1;",
        "a = s[0]; b = 1;",
        "a = s->n; b = 1;",
        "a = n / m; b = 1;",
        "a = n % 0; b = 1;",
        "a /= m; b = 1;",
        "a = b = 1; m = 2;",
        "a = (n++, 1); b = 2;",
        "a = n++; b = 2;",
        "*s = 1; b = 2;",
        "a = 1; b = 2; g(&a);",
        "a = 1; b = 2; g(&(b));",
        "a = 1; b = 2; g(&(/* of */ b));",
        "a = 1; b = 2; LIST_INIT(a);",
        "a = 1; ; b = 2;",
        "a = 1; /* why */ b = 2;",
        "a = 1; // why\n b = 2;",
        "a = 1;\n#ifdef X\n b = 2;\n#endif\n",
        "a = 1;\n#define Y\n b = 2;",
        "l: a = 1; b = 2; goto l;",
        "a = 1; l: b = 2; goto l;",
        "switch (n) { case 1: a = 1; b = 2; }",
        "if (n) a = 1; b = 2;",
        "for (;;) a = 1; b = 2;",
        "n = ({ a = 1; b = 2; });",
        "G({ a = 1; b = 2; });",
        "LOOP(n) a = 1; b = 2;",
        "WHEN a = 1; b = 2;",
        "volatile int v; a = 1; b = 2;",
        "_Atomic int v; a = 1; b = 2;",
        "static int p = 1; static int q = 2;",
        "Reg p = 1; Reg q = 2;",
        "FOO *p = 0; FOO *q = 0;",
        "int p[2], q; q = 1; p[0] = 2;",
        "struct s p, q; p = n; q = m;",
        "int p = n[0], q = 1; int r = 2;",
        "register int p = 1; register int q = 2;",
        "T *p = s; int T = 1;",  # the first T is a type
        'asm("nop" : "=r"(a), "=r"(b)); a = 1; b = 2;',
        "x = n ? g() : 1; b = 2;",
        's = "a" LIMIT; b = 2;',
    ],
)
def test_c_statements_that_may_touch_stay(body: str) -> None:
    code = c(body)
    first = len(code.text.splitlines()[0])
    assert not [place for place in swaps(code) if place[0][0] >= first]


def test_java_statements_change_places_also_first_values_of_objects() -> None:
    for body in (
        "a = 1; b = n;",
        'String p = "x"; Object q = null;',
        "final long p = 1L; boolean q = n > 3 && m < 2;",
        "double p = n * 0.5; char q = 'x';",
        'String p = "x"; int q = n;',
        "Runnable r = () -> { int p = 1; int q = 2; };",
    ):
        code = java(body)
        assert len(swaps(code)) == 1, body
        after = reordered(code, Random(1))
        assert read(after, Language.JAVA).names.keys() == code.names.keys()
        assert after != code.text


@pytest.mark.parametrize(
    "body",
    [
        "a = n / m; b = 1;",
        "a = n % m; b = 1;",
        "a = 1; b = 2 / 0;",
        "a /= m; b = 1;",
        "a = s.length(); b = 1;",
        "a = t[0]; b = 1;",
        "a = boxed; b = 1;",
        "Integer p = n; int q = p; b = 1;",
        "Integer p = null; b = 1; a = p;",
        "var p = s; b = 1; a = p;",
        "Object p = (Object) s; Object q = (String) s;",
        "T p = s; String q = p;",
        "s += n; a = 1;",
        "field = 1; this.other = 2;",
        "a = ++n; b = 1;",
        "g(p -> { p = 1; a = 2; });",
        "g((p, q) -> { p = 1; q = 2; });",
        "a = 1; b = a;",
        "int p = 1; a = 2;",
        "l: a = 1; b = 2;",
        "a = 1; l: b = 2;",
        "switch (n) { case 1: a = 1; b = 2; }",
        "a = (int) s; b = 1;",
        "a = s instanceof String ? 1 : 2; b = 1;",
        "a = switch (n) { default -> 1; }; b = 1;",
        "if (n > 1) a = 1; b = 2;",
    ],
)
def test_java_statements_that_may_fail_or_touch_stay(body: str) -> None:
    assert not swaps(java(body))


def test_a_field_of_the_name_is_no_local() -> None:
    text = "class A { int a, b; void f() { a = 1; b = 2; } void g() { int a; int b; } }"
    code = read(text, Language.JAVA)
    assert [
        code.text[slice(*span)] for span, _ in swaps(code)
    ] == []  # as long as other functions use the field


@pytest.mark.parametrize(
    "body",
    [
        "    x = 1\n    y = 'b'",
        "    x = -2.5\n\n    y = [None, (True,)]",
        "    x = '''a\n  b'''\n    y = {}",
        "    if n:\n        x = 1\n        y = f''\n    return x",
    ],
)
def test_python_first_literals_change_places(body: str) -> None:
    code = python(body)
    assert len(swaps(code)) == 1
    assert reordered(code, Random(0)) != code.text


@pytest.mark.parametrize(
    "body",
    [
        "    x = n\n    y = 1",
        "    x = undefined\n    y = 1",
        "    x = g()\n    y = 1",
        "    x = 1 + 1\n    y = 1",
        "    x = f'{n}'\n    y = 1",
        "    x = {[]: 1}\n    y = 1",
        "    x = {1}\n    y = 1",
        "    x = -'a'\n    y = 1",
        "    x: int = 1\n    y = 1",
        "    x = y = 1\n    z = 2",
        "    x = 1; y = 2",
        "    x = 1  # why\n    y = 2",
        "    n = 1\n    y = 2",  # frees the argument
        "    x = g()\n    x = 1\n    y = 2",
        "    for i in n:\n        x = 1\n        y = 2",
        "    while n:\n        if n:\n            x = 1\n            y = 2",
        "    global x, y\n    x = 1\n    y = 2",
        "    def g():\n        nonlocal x, y\n        x = 1\n        y = 2\n    x = y = 0",
        "    x = 1\n    y = 2\n    return locals()",
        "    class A:\n        x = 1\n        y = 2",
        "    x.a = 1\n    y = 2",
        "    x, z = 1, 2\n    y = 2",
    ],
)
def test_python_statements_that_may_be_seen_stay(body: str) -> None:
    assert not swaps(python(body))


def test_deep_expressions_do_not_exhaust_the_stack() -> None:
    deep = "(" * 3000 + "n" + ")" * 3000
    assert len(swaps(c(f"a = {deep}; b = 1;"))) == 3
