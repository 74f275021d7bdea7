"""Masked language modelling: the model, and what it answers for the tokens that were hidden.

15 of 100 tokens are chosen; of these 80 in 100 become the mask token, 10 any token, and 10 stay
(Devlin et al., NAACL 2019, section 3.1; drawn by transformers' own collator).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling

from codewren_distill.classifier import as_transformers
from codewren_distill.objectives import Objective
from codewren_distill.student import student_config
from codewren_distill.text_side import Batch, SiameseText
from codewren_runtime.tokenizer import SPECIAL_TOKENS, CodeTokenizer
from codewren_runtime.types import Architecture, Task

__all__ = ["NO_KIND", "Masked", "MaskedModel", "MaskedTokens", "Tally", "build_masked"]

NO_KIND = -100  # of a token that has none: cross-entropy ignores it


class MaskedModel(nn.Module):
    """A transformers masked language model that answers for chosen tokens alone.

    The logits of all tokens of a batch would take more memory than the rest of a small model's
    training. With `kinds`, a linear layer tells the kind of every token.
    """

    def __init__(self, model: Any, kinds: int = 0) -> None:
        super().__init__()
        self.model = model
        self.kinds = nn.Linear(model.config.hidden_size, kinds) if kinds else None

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, chosen: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Ids, mask and chosen (n, length) to logits (chosen, vocabulary), (n, length, kinds)."""
        encoded = self.model.base_model(input_ids=input_ids, attention_mask=attention_mask)
        hidden = encoded.last_hidden_state
        # RoBERTa calls its head so, and ALBERT its own otherwise.
        head = getattr(self.model, "lm_head", None) or self.model.predictions
        return head(hidden[chosen]), None if self.kinds is None else self.kinds(hidden)


@dataclass
class Masked:
    """A masked language model with its text side."""

    model: MaskedModel
    text: SiameseText

    @property
    def core(self) -> Any:
        """The transformers model inside."""
        return self.model.model


def build_masked(
    architecture: Architecture,
    task: Task,
    tokenizer_json: str,
    seed: int,
    *,
    dropout: float = 0.0,
    kinds: int = 0,
) -> Masked:
    """A fresh masked language model whose encoder is that of a student of this architecture."""
    tokenizer = CodeTokenizer(tokenizer_json, architecture.max_length, task.normalisation)
    torch.manual_seed(seed)
    core = AutoModelForMaskedLM.from_config(student_config(architecture, task, dropout))
    return Masked(MaskedModel(core, kinds), SiameseText(tokenizer, pairs=False))


@dataclass(frozen=True, slots=True)
class Tally:
    """Of chosen tokens, and of those of known kind: how many, how many right, summed loss."""

    tokens: int = 0
    right: int = 0
    loss: Tensor | float = 0.0
    kinds: int = 0
    kinds_right: int = 0
    kinds_loss: Tensor | float = 0.0

    def __add__(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.tokens + other.tokens,
            self.right + other.right,
            self.loss + other.loss,
            self.kinds + other.kinds,
            self.kinds_right + other.kinds_right,
            self.kinds_loss + other.kinds_loss,
        )


class MaskedTokens(Objective):
    """The loss of a batch's hidden tokens; a row's target is its number.

    `share` of the tokens are chosen. With `kinds`, of each row one per token, the cross-entropy
    of the kinds of all tokens is added: the means of both count alike.
    """

    def __init__(
        self,
        tokenizer: CodeTokenizer,
        share: float,
        kinds: Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.collator = DataCollatorForLanguageModeling(
            as_transformers(tokenizer), mlm_probability=share
        )
        self.kinds = kinds

    def __call__(self, model: Any, batch: Batch, target: Tensor) -> Tensor:
        """Mean cross-entropy of the hidden tokens, and of the kinds of all, in nats."""
        tally = self.tally(model, batch, target)
        loss = tally.loss / max(1, tally.tokens) + tally.kinds_loss / max(1, tally.kinds)
        assert isinstance(loss, Tensor)
        return loss

    def tally(self, model: Any, batch: Batch, target: Tensor) -> Tally:
        """Hide tokens, by torch's random numbers, and count what the model says of them."""
        ids = batch["input_ids"].cpu()
        special = torch.isin(ids, torch.arange(len(SPECIAL_TOKENS)))
        hidden, labels = self.collator.torch_mask_tokens(ids.clone(), special)
        device, chosen = batch["input_ids"].device, labels != NO_KIND
        tokens, kinds = model(
            input_ids=hidden.to(device),
            attention_mask=batch["attention_mask"],
            chosen=chosen.to(device),
        )
        wanted = labels[chosen].to(device)
        loss = cross_entropy(tokens.float(), wanted, reduction="sum")
        tally = Tally(len(wanted), int((tokens.argmax(-1) == wanted).sum()), loss)
        return tally if kinds is None else tally + self._kinds(kinds.flatten(0, 1), ids, target)

    def _kinds(self, logits: Tensor, ids: Tensor, target: Tensor) -> Tally:
        assert self.kinds is not None
        wanted = torch.full(ids.shape, NO_KIND)
        for row, number in enumerate(target.tolist()):
            own = self.kinds[number]
            wanted[row, : len(own)] = torch.tensor(own)
        wanted = wanted.flatten().to(logits.device)
        loss = cross_entropy(logits.float(), wanted, reduction="sum", ignore_index=NO_KIND)
        right = int((logits.argmax(-1) == wanted).sum())
        return Tally(kinds=int((wanted != NO_KIND).sum()), kinds_right=right, kinds_loss=loss)
