"""Settings of training and distillation, with the defaults in one place; needs no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Literal

from codewren_runtime.errors import OptionError

__all__ = ["FreshStudent", "Precision", "Supervision", "TrainingSettings"]

MAX_NGRAMS = 1 << 24
Precision = Literal["int8", "int4"]  # that a student's weights can be trained for


@dataclass(frozen=True, slots=True)
class FreshStudent:
    """What a student is before it trains, beside its architecture.

    `pair_head` as in `codewren_distill.pair_heads`, for pairs alone; `embeddings` start at
    random or from `codewren_distill.cooccurrence`; `ngrams` are the buckets of a linear model
    of n-grams beside the encoder (`codewren_distill.ngrams`), 0 for none; those of pairs tell
    traits (`codewren_distill.ngram_traits`), and want the pair head `shared`.
    A pre-trained encoder of the run (`codewren_distill.pretraining`) is what the student starts
    from, in place of `embeddings`, unless `from_scratch`.
    """

    dropout: float = 0.0
    pair_head: Literal["difference", "shared"] = "difference"
    embeddings: Literal["random", "cooccurrence"] = "random"
    ngrams: int = 0
    from_scratch: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise OptionError(f"dropout must be from 0, below 1, not {self.dropout}")
        if not 0 <= self.ngrams <= MAX_NGRAMS:
            raise OptionError(f"ngrams are 0 or up to {MAX_NGRAMS:,} buckets, not {self.ngrams}")
        if self.pair_head not in ("difference", "shared"):
            raise OptionError(f"pair_head is difference or shared, not {self.pair_head!r}")
        if self.embeddings not in ("random", "cooccurrence"):
            raise OptionError(f"embeddings are random or cooccurrence, not {self.embeddings!r}")


@dataclass(frozen=True, slots=True)
class Supervision:
    """How a classifier learns from plain labels.

    `valid_share` of the rows are held out, unless a file of such rows is given: with either, the
    weights of the epoch with the lowest loss on them are kept, and training ends after
    `patience` epochs without a lower one (0: never). `class_weights` balanced weighs a row by
    the inverse of its label's share. `freeze_layers` keeps the embeddings and so many of the
    lowest layers as they are.
    """

    valid_share: float = 0.0
    patience: int = 2
    class_weights: Literal["none", "balanced"] = "none"
    freeze_layers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.valid_share < 1:
            raise OptionError(f"valid_share must be from 0, below 1, not {self.valid_share}")
        for name in ("patience", "freeze_layers"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name} must be at least 0, not {getattr(self, name)}")
        if self.class_weights not in ("none", "balanced"):
            raise OptionError(f"class_weights are none or balanced, not {self.class_weights!r}")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """What shapes a training run; the defaults are for students of at most 3 MB.

    `token_dropout` is the mean share of tokens that are hidden from a training step; `ema` the
    decay of the moving average of the weights that is kept in the end (0: the last weights).
    `memory` trains pairs by their texts (`codewren_distill.memory`): an epoch is then one pass
    over the distinct texts, and a batch is of texts. `label_smoothing` is the probability that
    plain labels share among all labels (`codewren_distill.losses`). `consistency` weighs the
    squared difference of the model's probabilities from those of that moving average
    (`codewren_distill.mean_teacher`). `accumulation` is in how many parts a batch is computed,
    one after the other in the memory of one: their gradients add up to the batch's.
    """

    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 5e-4
    warmup: float = 0.1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    token_dropout: float = 0.0
    ema: float = 0.0
    memory: bool = False
    label_smoothing: float = 0.0
    consistency: float = 0.0
    accumulation: int = 1
    seed: int = 0
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "accumulation"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 < self.learning_rate < 1:
            raise OptionError(f"learning_rate must be between 0 and 1, not {self.learning_rate}")
        if not 0 <= self.token_dropout < 0.5:
            raise OptionError(f"token_dropout must be 0 or up to 0.5, not {self.token_dropout}")
        if not 0 <= self.ema < 1:
            raise OptionError(f"ema is a decay from 0, below 1, not {self.ema}")
        if not 0 <= self.label_smoothing < 1:
            raise OptionError(
                f"label_smoothing must be from 0, below 1, not {self.label_smoothing}"
            )
        self._require_average()
        if not 0 <= self.warmup < 1:
            raise OptionError(f"warmup is a share of the steps, below 1, not {self.warmup}")

    def _require_average(self) -> None:
        if not 0 <= self.consistency < inf:
            raise OptionError(f"consistency must be at least 0, not {self.consistency}")
        if self.consistency and not self.ema:
            raise OptionError(
                "consistency is with the moving average of the weights; give ema too, such as 0.99"
            )
        if self.consistency and self.memory:
            raise OptionError("consistency is of rows, and memory trains by texts; leave one out")

    def to_json(self) -> dict[str, Any]:
        """What decides the result: all but the checkpoint interval."""
        return {k: v for k, v in asdict(self).items() if k != "checkpoint_seconds"}
