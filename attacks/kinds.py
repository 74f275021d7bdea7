"""Texts that nobody writes: each a head, a unit again and again, and a tail.

A text is made in blocks of a megabyte and never lies in memory as a whole, so that whoever makes
it stays small: a process that is forked begins its own peak with that of its parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

__all__ = ["KINDS", "blocks"]

BLOCK = 1_000_000
KINDS: dict[str, tuple[bytes, bytes, bytes]] = {
    # no code
    "one line": (b"", b"a", b""),
    "spaces": (b"", b" ", b""),
    "line ends": (b"", b"\n", b""),
    "form feeds and separators": (b"", "\f\v\x1c\u2028\u2029\x85\r".encode(), b""),
    "random bytes": (b"", Random(0).randbytes(BLOCK), b""),
    "NULs": (b"", b"\0", b""),
    "UTF-16": (b"\xff\xfe", "int f(int a) { return a; }\n".encode("utf-16-le"), b""),
    "bytes that are no UTF-8": (b"", b"\xff\xc0\x80\xf5", b""),
    "lone surrogates": (b"", b"\xed\xa0\x80", b""),
    "right-to-left marks": (b"", "\u202e\u200f".encode(), b""),
    "combining marks": (b"", "e\u0301\u0327".encode(), b""),
    "emoji": (b"", "\U0001f468\u200d\U0001f469".encode(), b""),
    "special tokens": (b"", b"<s></s><pad><mask>", b""),
    # what keeps a parser busy
    "braces": (b"", b"{", b""),
    "nested calls": (b"", b"f(", b""),
    "less than": (b"", b"a<", b""),
    "open string": (b'char *s = "', b"x", b""),
    "open comment": (b"/*", b"*", b""),
    "conditions of the preprocessor": (b"", b"#if 1\n", b""),
    "ifs in ifs": (b"int f(int a) {", b"if(a)", b"; return a; }\n"),
    "pointers": (b"int ", b"*", b"f(int a) { return a; }\n"),
    "nested 9,000 deep": (b"", b"int f(int a) { return " + b"(" * 9_000 + b")" * 9_000 + b"; }\n",
                          b""),
    # functions
    "small functions": (b"", b"int f(int a) { return a; }\n", b""),
    "a function that never ends": (b"int f(int a) {", b"a = a + 1; ", b""),
    "a function of one line": (b"int f(int a) { return a", b" + a", b"; }\n"),
    "a function of empty lines": (b"int f(int a) {\n", b"\n", b"return a; }\n"),
    "a function of spaces": (b"int f(int a) {", b" ", b"return a; }\n"),
    "a function full of NULs": (b"int f(int a) { /*", b"\0", b"*/ return a; }\n"),
    "a function from right to left": (b"int f(int a) { /*", "\u202e\u2066".encode(),
                                      b"*/ return a; }\n"),
    "a function of surrogates": (b"int f(int a) { /*", b"\xed\xa0\x80", b"*/ return a; }\n"),
    "a long name": (b"int ", b"a", b"(int a) { return a; }\n"),
    "many names": (b"int f(int a) {", b"int a0,b1,c2,d3,e4,f5,g6,h7,i8,j9; { int k; } ", b"}\n"),
}  # fmt: skip


def blocks(kind: str, size: int) -> Iterator[bytes]:
    """A text of at most `size` bytes, of which no unit is cut in two, block by block."""
    head, unit, tail = KINDS[kind]
    yield head
    count = max(1, (size - len(head) - len(tail)) // len(unit))
    many = max(1, BLOCK // len(unit))
    for begin in range(0, count, many):
        yield unit * min(many, count - begin)
    yield tail
