"""A model's answers to examples, logits or embeddings, in batches of like length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from codewren_distill.batches import by_length, lengths_of
from codewren_distill.classifier import Classifier
from codewren_distill.devices import fastest
from codewren_distill.models import SiameseModel
from codewren_distill.text_side import Encoded, pad
from codewren_runtime.errors import ModelError
from codewren_runtime.types import Example

__all__ = ["answering", "encode_all", "logits_of", "score_batches", "scored"]

Advance = Callable[[int], None]  # called with the number of rows just done


def encode_all(
    classifier: Classifier, examples: Sequence[Example], advance: Advance | None = None
) -> list[Encoded]:
    """Token ids of every example."""
    encoded = []
    for example in examples:
        encoded.append(classifier.text.encode(example))
        if advance is not None:
            advance(1)
    return encoded


def score_batches(encoded: Sequence[Encoded], batch_size: int = 64) -> list[list[int]]:
    """Row numbers of the batches that `logits_of` scores, shortest rows first."""
    return by_length(lengths_of(encoded), batch_size)


@torch.inference_mode()
def _batch_logits(
    classifier: Classifier,
    rows: Sequence[Encoded],
    device: torch.device,
    embeddings: _Embeddings | None,
) -> NDArray[np.float32]:
    if embeddings is not None:
        answer = embeddings.logits(rows)
    else:
        batch = {name: value.to(device) for name, value in classifier.text.collate(rows).items()}
        answer = classifier.model(**batch)
    logits: NDArray[np.float32] = answer.float().cpu().numpy()
    if not np.isfinite(logits).all():
        raise ModelError(
            f"{classifier.name}: the answers are not numbers; its weights are damaged, make it "
            "again or give another"
        )
    return logits


class _Embeddings:
    """Embeddings of the distinct texts of siamese pairs, each computed once, when first asked for.

    A text is always computed with the same neighbours, whatever is asked for first: a resumed
    run rounds as an uninterrupted one does.
    """

    def __init__(
        self, classifier: Classifier, encoded: Sequence[Encoded], device: torch.device
    ) -> None:
        assert isinstance(classifier.model, SiameseModel)
        self.model, self.tokenizer, self.device = (
            classifier.model,
            classifier.text.tokenizer,
            device,
        )
        self.texts = list(dict.fromkeys(ids for row in encoded for ids in row))
        self.place = {ids: at for at, ids in enumerate(self.texts)}
        batches = by_length([len(ids) for ids in self.texts], 64)
        self.batch_of = {text: batch for batch in batches for text in batch}
        self.table: dict[int, torch.Tensor] = {}

    def logits(self, rows: Sequence[Encoded]) -> torch.Tensor:
        """Logits (rows, labels)."""
        sides = zip(*rows, strict=True)
        return cast(torch.Tensor, self.model.head(*(self._stacked(side) for side in sides)))

    def _stacked(self, texts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        places = [self.place[ids] for ids in texts]
        for place in places:
            if place not in self.table:
                batch = self.batch_of[place]
                padded = pad([self.texts[at] for at in batch], self.tokenizer)
                there = {name: value.to(self.device) for name, value in padded.items()}
                self.table.update(zip(batch, self.model.embed(**there), strict=True))
        return torch.stack([self.table[place] for place in places])


@contextmanager
def answering(model: nn.Module, device: torch.device | None = None) -> Iterator[torch.device]:
    """While entered, the model is on `device`, `fastest()` by default, and in evaluation mode.

    Afterwards it is where it was before.
    """
    device, was = device or fastest(), next(model.parameters()).device
    model.to(device).eval()
    try:
        yield device
    finally:
        model.to(was)


def scored(
    classifier: Classifier,
    encoded: Sequence[Encoded],
    batches: Sequence[list[int]],
    device: torch.device | None = None,
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Each batch's row numbers and answers (rows, width), fp32, on the GPU where there is one.

    Of siamese pairs every text is encoded once, in however many pairs it stands.
    """
    siamese = isinstance(classifier.model, SiameseModel)
    with answering(classifier.model, device) as there:
        embeddings = _Embeddings(classifier, encoded, there) if siamese else None
        for rows in batches:
            chosen = [encoded[row] for row in rows]
            yield rows, _batch_logits(classifier, chosen, there, embeddings)


def logits_of(
    classifier: Classifier,
    examples: Sequence[Example],
    advance: Advance | None = None,
    device: torch.device | None = None,
) -> NDArray[np.float32]:
    """Logits (examples, labels), or embeddings (examples, H), in the order of the examples.

    Computed on `device`, by default the GPU where there is one.
    """
    encoded = encode_all(classifier, examples)
    logits = np.zeros((0, 0), dtype=np.float32)
    for rows, values in scored(classifier, encoded, score_batches(encoded), device):
        if not logits.size:
            logits = np.zeros((len(examples), values.shape[1]), dtype=np.float32)
        logits[rows] = values
        if advance is not None:
            advance(len(rows))
    return logits
