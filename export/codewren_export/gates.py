"""What a bundle must show before it may ship, each as a figure and a verdict in one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codewren_runtime.types import Example

__all__ = [
    "MAX_LOGIT_DIFFERENCE",
    "MIN_AGREEMENT",
    "MIN_COSINE",
    "Logits",
    "Verdict",
    "accuracy_change",
    "agreement_gate",
    "cosine_gate",
    "parity_gate",
    "probability_change",
    "size_gate",
]

MAX_LOGIT_DIFFERENCE = 1e-4
MIN_AGREEMENT = 0.995
MIN_COSINE = 0.99  # median over the samples

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Verdict:
    """One gate's answer: the figure, whether it passed, and a line for people."""

    gate: str
    passed: bool
    figure: float
    line: str


def parity_gate(exported: Logits, *references: Logits) -> Verdict:
    """The fp32 graph against torch and optimum: logits (n, labels) of the same inputs."""
    difference = max(float(np.abs(exported - reference).max()) for reference in references)
    passed = difference <= MAX_LOGIT_DIFFERENCE  # not so for NaN either
    line = f"the fp32 graph is within {difference:.1e} of the logits of torch and optimum"
    return Verdict("parity", passed, difference, f"{line} (at most {MAX_LOGIT_DIFFERENCE:.0e})")


def agreement_gate(reference: Logits, shipped: Logits) -> Verdict:
    """The bundle's labels against torch's: logits (n, labels) of the same inputs.

    The figure is the share of equal labels. One other label passes however few the samples are:
    fewer than 200 cannot show half a percent.
    """
    same = reference.argmax(1) == shipped.argmax(1)
    agreement = float(same.mean())
    others = int((~same).sum())
    passed = others <= max(1, int(len(same) * (1 - MIN_AGREEMENT)))
    line = (
        f"{100 * agreement:.2f} % of {len(same)} samples keep their label "
        f"(at least {100 * MIN_AGREEMENT:.1f} %, or all but one); "
        f"the largest change of a probability is {probability_change(reference, shipped):.4f}"
    )
    return Verdict("agreement", passed, agreement, line)


def cosine_gate(reference: Logits, shipped: Logits) -> Verdict:
    """The bundle's embeddings against torch's: (n, hidden) of the same inputs, of any length.

    The figure is the median of their cosines.
    """
    lengths = np.linalg.norm(reference, axis=1) * np.linalg.norm(shipped, axis=1)
    cosines = (reference * shipped).sum(1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    middle = float(np.median(cosines))
    line = (
        f"the median cosine of {len(cosines)} embeddings with torch's is {middle:.4f} "
        f"(at least {MIN_COSINE}); the lowest is {cosines.min():.4f}"
    )
    return Verdict("cosine", middle >= MIN_COSINE, middle, line)


def size_gate(size_bytes: int, budget: int | None) -> Verdict:
    """The whole bundle on disk against the budget, in bytes; no budget, no limit."""
    line = f"{size_bytes:,} bytes"
    if budget is not None:
        line += f" (at most {budget:,})"
    return Verdict("size", budget is None or size_bytes <= budget, size_bytes, line)


def accuracy_change(reference: Logits, shipped: Logits, samples: Sequence[Example]) -> float | None:
    """The bundle's accuracy less torch's; None unless every sample has its label."""
    labels = [example.label for example in samples]
    if any(label is None for label in labels):
        return None
    truth = np.array(labels)
    return float((shipped.argmax(1) == truth).mean() - (reference.argmax(1) == truth).mean())


def probability_change(reference: Logits, shipped: Logits) -> float:
    """The largest change of any label's probability, over all samples."""
    return float(np.abs(_probabilities(reference) - _probabilities(shipped)).max())


def _probabilities(logits: Logits) -> NDArray[np.float64]:
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))
