"""Pre-train a student's encoder on unlabelled code, into a folder that students start from.

config.json, model.safetensors    the masked language model, as transformers knows it
tokenizer.json, …                 its tokenizer, which the student shares
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForMaskedLM

from codewren_distill.checkpoints import load_model, save_pretrained
from codewren_distill.classifier import Classifier, save_tokenizer
from codewren_distill.masked import Masked, MaskedTokens, Tally
from codewren_distill.objectives import Lesson
from codewren_distill.scoring import answering, score_batches
from codewren_distill.settings import TrainingSettings
from codewren_distill.text_side import Encoded
from codewren_distill.training import Report, fit
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Example

__all__ = ["HeldOut", "Kinds", "pretrain", "start_from"]

# The kind of each token of a text, in the order of its ids.
Kinds = Callable[[str], Sequence[int]]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """On held-out texts: nats per hidden token, shares of right tokens and, with kinds, of kinds.

    `commonest` is the share that always answering their most frequent token would get.
    """

    seconds: float
    loss: float
    accuracy: float
    commonest: float
    kind_accuracy: float | None


def pretrain(
    masked: Masked,
    texts: Sequence[str],
    held_out: Sequence[str],
    settings: TrainingSettings,
    folder: Path,
    *,
    share: float,
    identity: str,
    kinds: Kinds | None = None,
    report: Report | None = None,
) -> HeldOut:
    """Train on `texts` with `share` of their tokens hidden, save into `folder`, and measure.

    Of a text the tokens count that the student would read: those of its first window.
    Resumes, and raises, as `codewren_distill.training.fit` does.
    """
    lesson = _lesson(masked, texts, share, kinds)
    position = fit(masked, lesson, settings, folder=folder, identity=identity, report=report)
    try:
        save_pretrained(masked.core, folder)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror or error})") from error
    save_tokenizer(masked.text.tokenizer, folder)
    tally = _measure(masked, _lesson(masked, held_out, share, kinds), settings.seed)
    tokens, of_kind = max(1, tally.tokens), tally.kinds
    return HeldOut(
        seconds=position.seconds,
        loss=float(tally.loss) / tokens,
        accuracy=tally.right / tokens,
        commonest=_commonest(masked.text.encode(Example(text)) for text in held_out),
        kind_accuracy=tally.kinds_right / of_kind if of_kind else None,
    )


def start_from(student: Classifier, folder: Path) -> None:
    """Give a fresh student the encoder that `pretrain` left in `folder`, in place.

    Raises OptionError if it has another shape, and ModelError if the folder cannot be read.
    """
    core, _ = load_model(AutoModelForMaskedLM, str(folder))
    own = student.core.base_model
    try:
        found = own.load_state_dict(core.base_model.state_dict(), strict=False)
    except RuntimeError as error:
        raise OptionError(_other_shape(folder)) from error
    # A classifier's ALBERT pools its first token by a layer that masked tokens have no use for.
    if found.unexpected_keys or any(not key.startswith("pooler.") for key in found.missing_keys):
        raise OptionError(_other_shape(folder))


def _other_shape(folder: Path) -> str:
    return (
        f"{folder}: was pre-trained with another architecture; run pretrain again, or leave it "
        "aside with --from-scratch"
    )


def _lesson(masked: Masked, texts: Sequence[str], share: float, kinds: Kinds | None) -> Lesson:
    tokenizer = masked.text.tokenizer
    assert isinstance(tokenizer, CodeTokenizer)
    encoded = [masked.text.encode(Example(text)) for text in texts]
    of_tokens = None if kinds is None else [kinds(text) for text in texts]
    objective = MaskedTokens(tokenizer, share, of_tokens)
    return Lesson(encoded, torch.arange(len(texts)), masked.text, objective)


@torch.no_grad()
def _measure(masked: Masked, lesson: Lesson, seed: int) -> Tally:
    """What the model says of held-out rows, whose hidden tokens are the same for every model."""
    objective: Any = lesson.objective
    tally = Tally()
    # What is hidden is drawn on the CPU.
    with answering(masked.model) as device, torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        for rows in score_batches(lesson.encoded):
            batch = lesson.text.collate([lesson.encoded[row] for row in rows])
            there = {name: value.to(device) for name, value in batch.items()}
            tally += objective.tally(masked.model, there, lesson.targets[rows])
    return tally


def _commonest(encoded: Iterable[Encoded]) -> float:
    """The share of the most frequent token among all but the special ones at both ends."""
    tokens = [token for (ids,) in encoded for token in ids[1:-1]]
    counts = torch.bincount(torch.tensor(tokens, dtype=torch.long), minlength=1)
    return float(counts.max() / max(1, len(tokens)))
