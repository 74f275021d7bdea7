"""The tokenizer as training and runtime share it: normalise, cut, byte-level BPE."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from tokenizers import Encoding, Tokenizer

from codewren_runtime._splitting import best_cut
from codewren_runtime.errors import ModelError
from codewren_runtime.text import normalise
from codewren_runtime.types import MIN_LENGTH, Normalisation

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BOS", "EOS", "MASK", "PAD", "SPECIAL_TOKENS", "UNK", "CodeTokenizer"]

BOS, PAD, EOS, UNK, MASK = "<s>", "<pad>", "</s>", "<unk>", "<mask>"
SPECIAL_TOKENS = (BOS, PAD, EOS, UNK, MASK)  # in id order, as RoBERTa numbers them

# Tokenizing what cannot reach the window costs time. A token of code is rarely longer than
# this; where tokens are, more is read.
CHARACTERS_PER_TOKEN = 9
MORE = 4  # times as much, that is
# No text is read further, whatever the window: so much white space is no code.
MAX_CHARACTERS = 1_000_000
MAX_WINDOWS = 32  # of a text that is split


class CodeTokenizer:
    """Turns source text into token ids: `<s>` first, `</s>` last, at most `max_length` in all.

    Raises ModelError if the vocabulary lacks a special token. Thread-safe.
    """

    def __init__(self, json_text: str, max_length: int, normalisation: Normalisation) -> None:
        if max_length < MIN_LENGTH:
            raise ModelError(
                f"tokenizer: max_length must be at least {MIN_LENGTH}, not {max_length}"
            )
        try:
            tokenizer = Tokenizer.from_str(json_text)
        except Exception as error:  # tokenizers raises bare Exception
            why = " ".join(str(error).split())  # it may quote tokens, line ends and all
            raise ModelError(f"tokenizer: not a tokenizer.json ({why})") from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        # Source that happens to contain the text "</s>" must not become a special token.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self._json_text = json_text
        self.max_length = max_length
        self.normalisation = normalisation
        self.bos_id, self.pad_id, self.eos_id = (self._special(t) for t in (BOS, PAD, EOS))

    @classmethod
    def from_file(cls, path: Path, max_length: int, normalisation: Normalisation) -> CodeTokenizer:
        """Read a `tokenizer.json`; raises ModelError if it is missing or damaged."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: cannot be read ({error})") from error
        return cls(text, max_length, normalisation)

    @property
    def vocab_size(self) -> int:
        """Number of tokens, the special ones included."""
        return int(self._tokenizer.get_vocab_size())

    def to_json(self) -> str:
        """The text of the `tokenizer.json` that this was made from."""
        return self._json_text

    def encode(self, text: str) -> list[int]:
        """Token ids of one text, between 2 and `max_length` of them.

        They are the first of the whole text's, found without reading it all; but of a single
        word that no window holds (a million braces) only so much counts as a window could hold
        in its longest tokens, and of any text `MAX_CHARACTERS`.
        """
        text = text[:MAX_CHARACTERS]
        prepare: Callable[[str], str] = self._normalised
        if self.normalisation == "nameless":  # what comes after a name decides about it
            text, prepare = prepare(text), str
        ids = self._first_tokens(text, prepare).ids
        return [self.bos_id, *ids[: self.max_length - 2], self.eos_id]

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of one text that is split where its syntax allows, `max_length` each at most.

        A text that fits the window is one, as `encode` gives it. Every token is in one window,
        up to the `MAX_WINDOWS`th and to `MAX_CHARACTERS`.
        """
        rest, room = self._normalised(text[:MAX_CHARACTERS]), self.max_length - 2
        windows: list[list[int]] = []
        while not windows or (rest and len(windows) < MAX_WINDOWS):
            encoding = self._first_tokens(rest, str)
            count, end = len(encoding), len(rest)
            if count > room:
                count, end = _cut(rest, encoding.offsets, room)
            windows.append([self.bos_id, *encoding.ids[:count], self.eos_id])
            rest = rest[end:].removeprefix("\n")
        return windows

    def _normalised(self, text: str) -> str:
        return normalise(text, self.normalisation)

    def _first_tokens(self, text: str, prepare: Callable[[str], str]) -> Encoding:
        """The tokens of `prepare(text)`, more than the window holds if there are, no special ones.

        `prepare` must give the same beginning for a beginning of the text, but for its last word.
        """
        room = self.max_length - 2
        reach = room * CHARACTERS_PER_TOKEN
        while True:
            cut = prepare(text[:reach])
            encoding = self._tokenizer.encode(cut, add_special_tokens=False)
            if reach >= len(text) or len(cut) > room * self._longest_token:
                return encoding
            if len(encoding) > room and _settled(encoding) >= room:
                return encoding
            reach *= MORE

    @cached_property
    def _longest_token(self) -> int:
        """In characters, as byte-level BPE writes them: one for each byte of UTF-8."""
        tokens: list[str] = list(self._tokenizer.get_vocab())
        return max(map(len, tokens))

    def _special(self, token: str) -> int:
        token_id = self._tokenizer.token_to_id(token)
        if token_id is None:
            raise ModelError(f"tokenizer: special token {token!r} is missing")
        return int(token_id)


def _settled(encoding: Encoding) -> int:
    """How many tokens are those of any longer text too: all but those of the last word.

    Byte-level BPE merges within words, and a word ends by what follows it.
    """
    words: list[int] = encoding.word_ids
    return words.index(words[-1])


def _cut(text: str, offsets: list[tuple[int, int]], room: int) -> tuple[int, int]:
    """How many tokens to take of more than `room`, and where in `text` they end.

    At least half the window is used. Never between two tokens that share a character: bytes of
    one may be two tokens.
    """
    ends = {
        offsets[count - 1][1]: count
        for count in range(room // 2 + 1, room + 1)
        if offsets[count - 1][1] <= offsets[count][0]
    }
    if not ends:
        return room, offsets[room - 1][1]
    end = best_cut(text, list(ends))
    return ends[end], end
