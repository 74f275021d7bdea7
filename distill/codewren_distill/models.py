"""The two shapes of classifier: one pass over a text, or two texts encoded alone.

`SequenceModel` is any transformers sequence-classification model (single texts, or pairs
that are read together: cross-encoding). `SiameseModel` encodes each text of a pair alone,
as the published clone detectors do, so that a tool can embed every function once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

__all__ = [
    "PAIR_HEADS",
    "Batch",
    "ConcatHead",
    "PairHead",
    "SequenceModel",
    "SiameseModel",
    "mean_pool",
]

Batch = dict[str, Tensor]
Pooling = Literal["mean", "first"]

# Means over a text differ by a fraction of what single tokens do; this evens it out.
SCALE = 4.0


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real tokens: hidden (n, length, H), mask (n, length) to (n, H)."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)


class PairHead(nn.Module):
    """Scores a pair of embeddings from |u - v| and (u - v)², hence the same both ways round.

    Of u * v it sees nothing: with it, the model learns by heart which texts stand in clones
    instead of comparing the two.
    """

    kind: ClassVar[str] = "difference"
    pooling: ClassVar[Pooling] = "mean"  # what the embeddings are of an encoder's tokens

    def __init__(self, hidden_size: int, num_labels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, num_labels)

    def forward(self, embedding_1: Tensor, embedding_2: Tensor) -> Tensor:
        """Two embeddings (n, H) to logits (n, labels)."""
        gap = (embedding_1 - embedding_2).abs() * SCALE
        features = torch.cat((gap, gap * gap), dim=-1)
        return cast(Tensor, self.out(torch.relu(self.dense(features))))


class ConcatHead(PairHead):
    """The published head (Shi et al., ASE 2022): first tokens side by side, dense, tanh, out."""

    kind = "concatenation"
    pooling = "first"

    def forward(self, embedding_1: Tensor, embedding_2: Tensor) -> Tensor:
        """Two embeddings (n, H) to logits (n, labels)."""
        features = torch.cat((embedding_1, embedding_2), dim=-1)
        return cast(Tensor, self.out(torch.tanh(self.dense(features))))


PAIR_HEADS: Mapping[str, type[PairHead]] = {head.kind: head for head in (PairHead, ConcatHead)}


class SiameseModel(nn.Module):
    """An encoder, the pooling that its head wants, and the head.

    A batch of b pairs holds 2b texts: first all first ones, then all second ones.
    """

    encoder: nn.Module
    head: PairHead

    def __init__(self, encoder: nn.Module, head: PairHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (n, length) to embeddings (n, H)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if self.head.pooling == "first":
            return cast(Tensor, hidden[:, 0])
        return mean_pool(hidden, attention_mask)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (2b, length) to logits (b, labels)."""
        first, second = self.embed(input_ids, attention_mask).chunk(2)
        return cast(Tensor, self.head(first, second))


class SequenceModel(nn.Module):
    """A transformers sequence-classification model that answers plain logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, **batch: Tensor) -> Tensor:
        """Logits (b, labels)."""
        return cast(Tensor, self.model(**batch).logits)
