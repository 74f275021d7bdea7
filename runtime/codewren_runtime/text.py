"""Text normalisation: one place, used by training and by the runtime alike."""

from __future__ import annotations

from typing import assert_never

from codewren_runtime.types import Normalisation

__all__ = ["normalise"]


def normalise(text: str, mode: Normalisation) -> str:
    """Prepare source text for the tokenizer.

    `published` is the original's form: lower case, all white space joined by single
    spaces (Shi et al., ASE 2022; comments are kept, see below). `structure` keeps case,
    lines and indentation, and drops only what carries no meaning: carriage returns,
    tabs as width, trailing white space and blank lines.

    The original cut `//` comments after joining the lines, which deletes the rest of
    the function; no mode does that. Lone surrogates become `?`, so that every string
    has a UTF-8 form. What a text begins with decides what its form begins with: the form of
    its first characters differs from the beginning of its whole form in the last word at most.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    if mode == "published":
        # Python lowers a Greek sigma by what follows it; nothing else looks ahead.
        return " ".join(text.lower().replace("ς", "σ").split())
    if mode == "structure":
        lines = (line.rstrip() for line in text.expandtabs(4).splitlines())
        return "\n".join(line for line in lines if line)
    assert_never(mode)
