"""An encoder as plain arrays: all that its graph is written from, whatever its family.

Matrices are (in, out), so that a row times a matrix is a layer's answer. Layers that share
their weights are the same object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Activation", "Array", "Encoder", "Head", "Layer", "Linear", "Ngrams", "Norm", "Pooling"]

Array = NDArray[np.float32]
Activation = Literal["gelu", "gelu_tanh", "relu"]
Pooling = Literal["mean", "first"]


@dataclass(frozen=True, eq=False)
class Linear:
    """`x @ weight + bias`: weight (in, out), bias (out,)."""

    weight: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class Norm:
    """Layer normalisation over the last axis: weight and bias (width,)."""

    weight: Array
    bias: Array
    epsilon: float


@dataclass(frozen=True, eq=False)
class Layer:
    """A transformer layer, normalised after each half: attention, then feed-forward.

    `qkv` gives queries, keys and values side by side, (H, 3H), each by heads.
    """

    heads: int
    qkv: Linear
    output: Linear
    attention_norm: Norm
    up: Linear
    activation: Activation
    down: Linear
    norm: Norm


@dataclass(frozen=True, eq=False)
class Head:
    """Logits from the pooled token: dense, tanh, out."""

    dense: Linear
    out: Linear


@dataclass(frozen=True, eq=False)
class Ngrams:
    """What hashed bigrams and trigrams of tokens say.

    `table` (buckets, columns), `bias` (columns,): the mean over a text's n-grams or, where
    `presence` is what counts, the sum over its distinct ones, over the square root of their number.
    Columns are the logits of every label but the first, added to the head's; without a head, the
    scores of traits, in place of as many of an embedding's last numbers.

    A bigram (a, b) hashes to (a * multiplier + b) modulo buckets, a trigram to
    (bigram * multiplier + c) modulo buckets.
    """

    table: Array
    bias: Array
    multiplier: int
    presence: bool


@dataclass(frozen=True, eq=False)
class Encoder:
    """A whole model of a text.

    `words` (vocabulary, E); `positions` (window, E), row 0 for the first token, with the row of
    the one token type added; `projection` from E to the hidden size H where they differ.
    The answer is the tokens' mean or the first of them, and goes through the `head` if any;
    `ngrams` come on top.
    """

    words: Array
    positions: Array
    norm: Norm
    projection: Linear | None
    layers: tuple[Layer, ...]
    pooling: Pooling
    head: Head | None
    ngrams: Ngrams | None = None

    @property
    def hidden_size(self) -> int:
        """Width of a token between two layers."""
        return len(self.layers[0].norm.weight)
