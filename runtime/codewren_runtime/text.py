"""Text normalisation: one place, used by training and by the runtime alike."""

from __future__ import annotations

import re
from typing import assert_never

from codewren_runtime.types import Normalisation

__all__ = ["normalise"]

# HTTPServer -> HTTP Server, getFile2 -> get File 2, a!=b -> a != b; brackets and what ends or
# joins statements and names are left out.
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^A-Za-z0-9\s;,(){}._]+")

# What of C and its like may be a variable's name is the group; comments, strings and numbers,
# fields, directives, callees, types before what they declare, types in `_t` and constants in
# capitals are passed over. Nothing here looks at how a variable is called otherwise.
VARIABLE = re.compile(
    r"""//[^\n]* | /\*[\s\S]*?(?:\*/|\Z)
    | "(?:[^"\\\n]+|\\[\s\S])*"? | '(?:[^'\\\n]+|\\[\s\S])*'?
    | [.]?[0-9][\w.]* | (?:->|[.])[\t-\r\ ]*[A-Za-z_]\w* | [#][\t\ ]*[a-z]+
    | [A-Za-z_]\w*(?=[\t-\r\ ]*\() | [A-Za-z_]\w*(?=[\t-\r\ ]+\**[A-Za-z_])
    | \w*_t\b | (?=[0-9_]*[A-Z])[A-Z_][A-Z0-9_]+\b
    | ([A-Za-z_]\w*)""",
    re.ASCII | re.VERBOSE,
)
# Words that stand where a variable could: neither a bracket nor a name follows.
KEYWORDS = frozenset(
    """
    auto bool break case char const continue default do double else enum extern false finally
    float for goto if inline int long null nullptr register restrict return short signed sizeof
    static struct super switch this throw true try typedef union unsigned void volatile while
    """.split()  # noqa: SIM905
)
ANY_NAME = "v"


def normalise(text: str, mode: Normalisation) -> str:
    """Prepare source text for the tokenizer.

    `published` is the original's form: lower case, all white space joined by single
    spaces (Shi et al., ASE 2022; comments are kept, see below). `structure` keeps case,
    lines and indentation, and drops only what carries no meaning: carriage returns,
    tabs as width, trailing white space and blank lines. `words` keeps what a reader would
    look up: the words within names, numbers and operators, by single spaces. It takes half
    the tokens and loses the syntax. `raw` is the text itself with all white space
    inside it, for what depends on who wrote it; none around it, since a function that was cut
    out of a file must not differ from one that came with a line's end. `nameless` is `raw` with
    one name for all variables of C and languages like it, as far as a look at each name's
    neighbours tells: no name of a local variable can change what a model makes of it.

    The original cut `//` comments after joining the lines, which deletes the rest of
    the function; no mode does that. Lone surrogates become `?`, so that every string
    has a UTF-8 form. What a text begins with decides what its form begins with: the form of
    its first characters differs from the beginning of its whole form in the last word at most;
    but `nameless` looks ahead: take the form of the whole text.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    if mode == "published":
        # Python lowers a Greek sigma by what follows it; nothing else looks ahead.
        return " ".join(text.lower().replace("ς", "σ").split())
    if mode == "structure":
        lines = (line.rstrip() for line in text.expandtabs(4).splitlines())
        return "\n".join(line for line in lines if line)
    if mode == "raw":
        return text.strip()
    if mode == "nameless":
        return VARIABLE.sub(_nameless, text.strip())
    if mode == "words":
        return " ".join(WORD.findall(text))
    assert_never(mode)


def _nameless(match: re.Match[str]) -> str:
    name: str | None = match[1]
    return match[0] if name is None or name in KEYWORDS else ANY_NAME
