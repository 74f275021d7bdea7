"""A classifier's logits on examples, in batches of like length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from codewren_distill.batches import by_length, row_length
from codewren_distill.classifier import Classifier
from codewren_distill.text_side import Encoded
from codewren_runtime.errors import ModelError
from codewren_runtime.types import Example

__all__ = ["encode_all", "logits_of", "score_batches", "scored"]

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
    return by_length([row_length(row) for row in encoded], batch_size)


@torch.inference_mode()
def _batch_logits(
    classifier: Classifier, rows: Sequence[Encoded], device: torch.device
) -> NDArray[np.float32]:
    batch = {name: value.to(device) for name, value in classifier.text.collate(rows).items()}
    logits: NDArray[np.float32] = classifier.model(**batch).float().cpu().numpy()
    if not np.isfinite(logits).all():
        raise ModelError("the model answers logits that are not numbers; its weights are damaged")
    return logits


def scored(
    classifier: Classifier, encoded: Sequence[Encoded], batches: Sequence[list[int]]
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Each batch's row numbers and logits (rows, labels), fp32, on the GPU where there is one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    classifier.model.to(device).eval()
    try:
        for rows in batches:
            yield rows, _batch_logits(classifier, [encoded[row] for row in rows], device)
    finally:
        classifier.model.to("cpu")


def logits_of(
    classifier: Classifier, examples: Sequence[Example], advance: Advance | None = None
) -> NDArray[np.float32]:
    """Logits (examples, labels), in the order of the examples."""
    encoded = encode_all(classifier, examples)
    logits = np.zeros((len(examples), len(classifier.task.labels)), dtype=np.float32)
    for rows, values in scored(classifier, encoded, score_batches(encoded)):
        logits[rows] = values
        if advance is not None:
            advance(len(rows))
    return logits
