"""Pairs among texts that recur: encode each text once an epoch, compare it with all it knows.

Ten thousand pairs of a thousand functions hold each function twenty times over. Here a batch is
of texts, not of pairs: each is compared with its partners, in the batch or as they were last
encoded (cross-batch memory: Wang et al., CVPR 2020). The partners' embeddings are a few steps
old, and no gradient flows into them; an epoch costs one pass over the texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from codewren_distill.classifier import Classifier
from codewren_distill.losses import Loss
from codewren_distill.models import SiameseModel
from codewren_distill.objectives import Lesson, Objective
from codewren_distill.text_side import Batch, SiameseText
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Example

__all__ = ["AmongTexts", "pair_lesson", "texts_of"]

PARTNERS = 64  # of a text in one step, drawn anew each time


def texts_of(examples: Sequence[Example]) -> list[str]:
    """The distinct texts of examples, in order of appearance."""
    return list(dict.fromkeys(text for example in examples for text in example.texts))


def pair_lesson(
    classifier: Classifier, examples: Sequence[Example], targets: Tensor, loss: Loss
) -> Lesson:
    """The lesson of pairs with a memory; OptionError unless the classifier is siamese."""
    if not isinstance(classifier.model, SiameseModel):
        raise OptionError("memory is for siamese pair models; leave it out")
    texts = texts_of(examples)
    number = {text: at for at, text in enumerate(texts)}
    pairs = torch.tensor([[number[text] for text in example.texts] for example in examples])
    alone = SiameseText(classifier.text.tokenizer, pairs=False)
    encoded = [alone.encode(Example(text)) for text in texts]
    objective = AmongTexts(pairs, targets, loss)
    return Lesson(encoded, torch.arange(len(texts)), alone, objective)


class AmongTexts(Objective):
    """The loss of all pairs of a batch's texts with each other and with remembered ones.

    `pairs` (p, 2) are numbers of texts, `targets` (p, …) what `loss` takes for each pair.
    """

    def __init__(self, pairs: Tensor, targets: Tensor, loss: Loss) -> None:
        self.targets, self.loss = targets, loss
        # Each pair from both ends, by the text that it starts from.
        ends = torch.cat((pairs, pairs.flip(1)))
        order = torch.argsort(ends[:, 0], stable=True)
        self.partner = ends[order, 1]
        self.pair = order % len(pairs)
        self.swapped = order >= len(pairs)
        counts = torch.bincount(ends[:, 0])
        self.begin = torch.cat((torch.zeros(1, dtype=torch.long), counts.cumsum(0)))
        self.memory: Tensor | None = None  # (texts, H)
        self.seen = torch.zeros(len(counts), dtype=torch.bool)

    def __call__(self, model: Any, batch: Batch, target: Tensor) -> Tensor:
        """The mean loss of the batch's pairs; `target` (b,) are the numbers of its texts."""
        embedded = model.embed(**batch).float()
        numbers = target.cpu()
        if self.memory is None:
            self.memory = torch.zeros(len(self.seen), embedded.shape[1])
        place = torch.full((len(self.seen),), -1)
        place[numbers] = torch.arange(len(numbers))
        own, edge = self._edges(numbers, known=self.seen | (place >= 0))
        partners = self.memory[self.partner[edge]].to(embedded.device)
        inside = place[self.partner[edge]]
        here = (inside >= 0).to(embedded.device)[:, None]
        partners = torch.where(here, embedded[inside.clamp_min(0)], partners)
        mine, swapped = embedded[own], self.swapped[edge].to(embedded.device)[:, None]
        self.memory[numbers] = embedded.detach().cpu()
        self.seen[numbers] = True
        if not len(edge):
            return cast(Tensor, embedded.sum() * 0)  # nothing to compare with yet
        with torch.autocast(embedded.device.type, enabled=False):
            logits = model.head(
                torch.where(swapped, partners, mine), torch.where(swapped, mine, partners)
            )
        return self.loss(logits, self.targets[self.pair[edge]].to(embedded.device))

    def _edges(self, numbers: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """For each pair to be scored, the place of its text in the batch and its row here."""
        own, edges = [], []
        for place, text in enumerate(numbers.tolist()):
            rows = torch.arange(int(self.begin[text]), int(self.begin[text + 1]))
            rows = rows[known[self.partner[rows]]]
            rows = rows[torch.randperm(len(rows))[:PARTNERS]]
            own.append(torch.full((len(rows),), place))
            edges.append(rows)
        return torch.cat(own), torch.cat(edges)

    def state(self) -> dict[str, Tensor]:
        """The remembered embeddings."""
        return {} if self.memory is None else {"memory": self.memory, "seen": self.seen}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Remember what `state` gave."""
        if state:
            self.memory, self.seen = state["memory"], state["seen"]
