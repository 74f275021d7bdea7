"""Heads of siamese models: the logits of a pair, from the embeddings of its two texts."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import ClassVar, Literal, Self, cast

import torch
from torch import Tensor, nn

from codewren_runtime.errors import OptionError

__all__ = ["PAIR_HEADS", "ConcatHead", "PairHead", "Pooling", "SharedHead"]

Pooling = Literal["mean", "first"]

# Means over a text differ by a fraction of what single tokens do; this evens it out.
SCALE = 4.0
# The most that the shared head is ever sure of one cause, or of there being none.
SURE = 0.995


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

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Self:
        """A head with these weights; KeyError or RuntimeError where they are no such head's."""
        labels, hidden_size = state["out.weight"].shape
        head = cls(hidden_size, labels)
        head.load_state_dict(state)
        return head

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


class SharedHead(PairHead):
    """Two texts are alike if they share one of a few traits, or are all but the same text.

    With z = sigmoid(W u + b), a probability for each of `TRAITS` latent traits of a text,
    P(alike) = 1 - (1 - near) * prod_k (1 - z_k z'_k): a noisy or (Pearl 1988, section 4.3.2),
    leaky by half a hundredth both ways, so that no logit is infinite and no gradient is lost.
    `near` = exp(-reach² * |u - v|²) is 1 for a text and itself. For clones a trait is something
    that a function does; which, the head finds out from the pairs alone. Two labels, the second
    of which means alike; the same both ways round.
    """

    kind = "shared"
    TRAITS: ClassVar[int] = 16

    def __init__(self, hidden_size: int, num_labels: int = 2) -> None:
        nn.Module.__init__(self)
        if num_labels != 2:
            raise OptionError(
                f"the shared pair head knows alike and not alike: two labels, not {num_labels}; "
                "choose the pair head difference"
            )
        self.traits = nn.Linear(hidden_size, self.TRAITS)
        nn.init.normal_(self.traits.weight, std=0.05)
        nn.init.constant_(self.traits.bias, -0.5)
        self.reach = nn.Parameter(torch.full((1,), 3.0))

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Self:
        """A head with these weights; KeyError or RuntimeError where they are no such head's."""
        head = cls(state["traits.weight"].shape[1])
        head.load_state_dict(state)
        return head

    def begin_with_scores(self) -> None:
        """Read the traits off an embedding's last numbers, which are their logits."""
        with torch.no_grad():
            self.traits.weight.zero_()
            self.traits.bias.zero_()
            self.traits.weight[:, -self.TRAITS :].fill_diagonal_(1 / SCALE)

    def forward(self, embedding_1: Tensor, embedding_2: Tensor) -> Tensor:
        """Two embeddings (n, H) to logits (n, 2)."""
        both = self._traits(embedding_1) * self._traits(embedding_2)
        gap = (embedding_1 - embedding_2).float()
        near = torch.exp(-self.reach.square() * gap.square().sum(-1))
        causes = SURE * torch.cat((both, near.unsqueeze(-1)), dim=-1)
        unlike = torch.log(1 - causes).sum(-1) + log(SURE)
        # Not 1 - exp(unlike): where nothing is shared, the difference would be rounding alone.
        alike = _either(_any_of(causes[..., : self.TRAITS], self.TRAITS), causes[..., -1])
        alike = torch.log(SURE * alike + (1 - SURE))  # or of nothing at all: the leak
        return torch.stack((unlike, alike), dim=-1)

    def _traits(self, embedding: Tensor) -> Tensor:
        return torch.sigmoid(self.traits(embedding.float()) * SCALE)


def _either(one: Tensor, other: Tensor) -> Tensor:
    """Probability that one of two independent events happens."""
    return one + other - one * other


def _any_of(events: Tensor, count: int) -> Tensor:
    """Probability that one of (n, count) independent events happens, (n,); a power of two."""
    while count > 1:
        count //= 2
        events = _either(events[..., :count], events[..., count:])
    return events[..., 0]


PAIR_HEADS: Mapping[str, type[PairHead]] = {
    head.kind: head for head in (PairHead, ConcatHead, SharedHead)
}
