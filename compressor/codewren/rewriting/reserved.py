"""Which names may be given to a local variable of a language."""

from __future__ import annotations

import re

from codewren.demo.names import usable as usable_in_python
from codewren.source import Language

__all__ = ["looks_like_macro", "usable"]

LONGEST = 60

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MACRO = re.compile(r"[A-Z_][A-Z0-9_]+")

# Keywords of C to C23 and of its GNU dialect, of C++ (headers are often both), names that
# standard headers define as macros without arguments, and functions that macros often call.
_C = frozenset(
    """
    auto break case char const constexpr continue default do double else enum extern float for
    goto if inline int long register restrict return short signed sizeof static struct switch
    typedef typeof typeof_unqual union unsigned void volatile while asm nullptr alignas alignof
    bool true false thread_local static_assert noreturn complex imaginary
    and and_eq bitand bitor catch class compl concept consteval constinit co_await co_return
    co_yield decltype delete dynamic_cast explicit export final friend mutable namespace new
    noexcept not not_eq operator or or_eq override private protected public reinterpret_cast
    requires static_cast template this throw try typeid typename using virtual xor xor_eq
    errno stdin stdout stderr offsetof assert unix linux i386 environ st_atime st_mtime st_ctime
    sa_handler sa_sigaction h_addr s6_addr main
    memcpy memset memmove memcmp malloc calloc realloc free strlen strcpy strcmp printf fprintf
    snprintf abort exit abs
    """.split()  # noqa: SIM905
)
_JAVA = frozenset(
    """
    abstract assert boolean break byte case catch char class const continue default do double
    else enum extends final finally float for goto if implements import instanceof int interface
    long native new package private protected public return short static strictfp super switch
    synchronized this throw throws transient try void volatile while true false null
    var yield record sealed permits when module exports requires opens
    """.split()  # noqa: SIM905
)


def looks_like_macro(name: str) -> bool:
    """Whether a name is written as C's macros and Java's constants are: two capitals or more."""
    return _MACRO.fullmatch(name) is not None and any(map(str.isupper, name))


def usable(name: str, language: Language) -> bool:
    """Can `name` stand for a local variable: no keyword, macro, or name that readers rely on."""
    if len(name) > LONGEST or _NAME.fullmatch(name) is None or looks_like_macro(name):
        return False
    if language is Language.PYTHON:
        return usable_in_python(name)
    if language is Language.JAVA:
        return name not in _JAVA and name != "_"
    reserved = name.startswith("__") or (name[0] == "_" and name[1:2].isupper())
    return name not in _C and not reserved and not name.endswith("_t")
