"""From a kind of each character of a text to a kind of each token that a model reads of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tokenizers import Tokenizer

from codewren_distill.masked import NO_KIND
from codewren_runtime.text import normalise
from codewren_runtime.tokenizer import CodeTokenizer

__all__ = ["kinds_of_tokens"]

# The normalisation `words` leaves these out, and white space; the others white space alone.
LEFT_OUT = frozenset(";,(){}._")
CHARACTERS_PER_TOKEN = 64  # read no further: what a window could hold


def kinds_of_tokens(
    tokenizer: CodeTokenizer, of_characters: Callable[[str], Sequence[int]]
) -> Callable[[str], list[int]]:
    """A function from a text to the kind of each of its ids, as `tokenizer.encode` gives them.

    `of_characters` says each character's kind, or NO_KIND. A token has the kind of its first
    character that is no white space. Where a text and what is read of it cannot be laid side by
    side (a few letters have a lower case of two), none of its tokens has a kind.
    """
    whole = Tokenizer.from_str(tokenizer.to_json())
    whole.no_truncation()
    whole.encode_special_tokens = True

    def kinds(text: str) -> list[int]:
        ids = tokenizer.encode(text)
        read = normalise(text, tokenizer.normalisation)[: CHARACTERS_PER_TOKEN * len(ids)]
        encoding = whole.encode(read, add_special_tokens=False)
        dropped = LEFT_OUT if tokenizer.normalisation == "words" else frozenset()
        of_read = _carried_over(text, of_characters(text), read, dropped)
        if of_read is None or encoding.ids[: len(ids) - 2] != ids[1:-1]:
            return [NO_KIND] * len(ids)
        spans = encoding.offsets[: len(ids) - 2]
        return [NO_KIND, *(_first(of_read[start:end]) for start, end in spans), NO_KIND]

    return kinds


def _carried_over(
    text: str, kinds: Sequence[int], read: str, dropped: frozenset[str]
) -> list[int] | None:
    """The kind of each character of `read`, which has the text's visible ones in their order.

    All but the `dropped`. None where it has not.
    """
    visible = (
        (character, kind)
        for character, kind in zip(text, kinds, strict=True)
        if not character.isspace() and character not in dropped
    )
    carried = []
    for character in read:
        if character.isspace():
            carried.append(NO_KIND)
            continue
        same, kind = next(visible, ("", NO_KIND))
        if same.lower() != character.lower():
            return None
        carried.append(kind)
    return carried


def _first(kinds: Sequence[int]) -> int:
    return next((kind for kind in kinds if kind != NO_KIND), NO_KIND)
