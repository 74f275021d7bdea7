"""The shapes of model: one pass over a text, two texts encoded alone, or an embedding.

`SequenceModel` is any transformers sequence-classification model (single texts, or pairs
that are read together: cross-encoding). `SiameseModel` encodes each text of a pair alone,
as the published clone detectors do, so that a tool can embed every function once.
`EmbeddingModel` answers a text with a vector, for search.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from codewren_distill.ngrams import NgramBag, TraitBag
from codewren_distill.pair_heads import PairHead, Pooling

__all__ = ["EmbeddingModel", "SequenceModel", "SiameseModel", "mean_pool"]


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real tokens: hidden (n, length, H), mask (n, length) to (n, H)."""
    hidden = hidden.float()  # a mean in bf16 would lose what tells two texts apart
    weights = mask.unsqueeze(-1).float()
    return (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)


def _pooled(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    return hidden[:, 0] if pooling == "first" else mean_pool(hidden, mask)


class EmbeddingModel(nn.Module):
    """An encoder and the pooling of its tokens; texts are compared by their vectors' cosine."""

    encoder: nn.Module

    def __init__(self, encoder: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (n, length) to embeddings (n, H) of unit length, fp32."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return normalize(_pooled(hidden, attention_mask, self.pooling).float(), dim=-1)


class SiameseModel(nn.Module):
    """An encoder, the pooling that its head wants, and the head.

    With `ngrams`, the scores that they give to traits take the place of as many of an embedding's
    last numbers. A batch of b pairs holds 2b texts: first all first ones, then all second ones.
    """

    encoder: nn.Module
    head: PairHead
    ngrams: TraitBag | None

    def __init__(self, encoder: nn.Module, head: PairHead, ngrams: TraitBag | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.ngrams = ngrams

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (n, length) to embeddings (n, H)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        pooled = _pooled(hidden, attention_mask, self.head.pooling)
        if self.ngrams is None:
            return pooled
        scores = self.ngrams(input_ids, attention_mask)
        return torch.cat((pooled[:, : -scores.shape[1]], scores), dim=1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (2b, length) to logits (b, labels)."""
        first, second = self.embed(input_ids, attention_mask).float().chunk(2)
        # The probabilities near 1 that a head multiplies are all the same to bf16.
        with torch.autocast(first.device.type, enabled=False):
            return cast(Tensor, self.head(first, second))


class SequenceModel(nn.Module):
    """A transformers sequence-classification model that answers plain logits.

    With `ngrams`, the logits are the sum of both.
    """

    ngrams: NgramBag | None

    def __init__(self, model: nn.Module, ngrams: NgramBag | None = None) -> None:
        super().__init__()
        self.model = model
        self.ngrams = ngrams

    def forward(self, **batch: Tensor) -> Tensor:
        """Logits (b, labels)."""
        logits = cast(Tensor, self.model(**batch).logits)
        if self.ngrams is None:
            return logits
        return logits + cast(Tensor, self.ngrams(batch["input_ids"], batch["attention_mask"]))


class PooledModel(SequenceModel):
    """An encoder without a head of its own, the mean of its real tokens, and a head of ours.

    Dense, tanh, out, as RoBERTa's classification head; mean pooling because a T5 has no token
    that stands for the text.
    """

    def __init__(self, encoder: nn.Module, hidden_size: int, num_labels: int) -> None:
        super().__init__(encoder)
        self.head = nn.Sequential(
            nn.Dropout(0.1),
            nn.Linear(hidden_size, hidden_size),
            nn.Tanh(),
            nn.Dropout(0.1),
            nn.Linear(hidden_size, num_labels),
        )

    def forward(self, **batch: Tensor) -> Tensor:
        """Logits (b, labels)."""
        hidden = self.model(**batch).last_hidden_state
        return cast(Tensor, self.head(mean_pool(hidden, batch["attention_mask"])))
