"""How many tokens a text becomes: a larger vocabulary cuts the same text into fewer."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["CHARACTERS", "token_count"]

CHARACTERS = 950  # the median function of FFmpeg and QEMU (Devign), lines kept

SPECIAL = 2  # <s> and </s>

# Characters that one token covers, by the size of the vocabulary: byte-level BPE trained on
# 6,000 functions of Devign, on 1,000 others. Java's tokens are a third longer.
VOCABULARIES = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
CHARACTERS_PER_TOKEN = (1.942, 2.387, 2.714, 2.968, 3.144, 3.255, 3.319)


def token_count(characters: int, vocab_size: Any, max_length: Any) -> Any:
    """Tokens of a C function of so many characters, special ones included, cut at `max_length`.

    `vocab_size` and `max_length` are ints or arrays that broadcast together.
    """
    covered = np.interp(np.log(vocab_size), np.log(VOCABULARIES), CHARACTERS_PER_TOKEN)
    return np.minimum(np.ceil(characters / covered).astype(np.int64) + SPECIAL, max_length)
