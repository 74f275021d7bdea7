"""What export is given: a trained torch model with all that a bundle says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn

from codewren_export.calibration import Criterion
from codewren_export.encoder import Pooling
from codewren_runtime.decision import LongInputs, check_long_inputs
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.types import Architecture, Example, Task, TaskKind

__all__ = ["Exportable"]

SHIPPED_AS: Mapping[TaskKind, str] = {
    "single": "sequence",
    "pair": "siamese",
    "embedding": "embedding",
}


@dataclass(frozen=True)
class Exportable:
    """A RoBERTa-style transformers model on the CPU, loaded with eager attention.

    `sequence`: `model` gives logits for one text, from its first token; `head` is None.
    `siamese`: `model` is the encoder alone, pooled here as `pooling` says, and `head` turns two
    embeddings (n, hidden) into logits (n, labels). `embedding`: the encoder alone, pooled
    likewise, without a head. `ngrams` turns ids and mask into what `codewren_export.encoder.Ngrams`
    says of labels and, of a siamese model, of traits (as are its `table`, `bias`, `multiplier`
    and `counting`). `sample_texts` are real inputs, on which the gates compare; the more the
    better, labels are not needed. `labelled` are rows that training
    has not seen: on them the temperature is fitted and, as `threshold` says, the threshold.
    `provenance` is plain JSON for the manifest.

    Raises ModelError or OptionError where the parts do not belong together.
    """

    task: Task
    architecture: Architecture
    kind: Literal["sequence", "siamese", "embedding"]
    model: nn.Module
    head: nn.Module | None
    tokenizer_json: str
    sample_texts: Sequence[Example]
    pooling: Pooling = "mean"  # of an encoder alone
    ngrams: nn.Module | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    labelled: Sequence[Example] = ()
    threshold: Criterion = field(default_factory=lambda: Criterion("fixed"))
    long_inputs: LongInputs = "truncate"

    def __post_init__(self) -> None:
        siamese = self.kind == "siamese"
        if self.kind != SHIPPED_AS[self.task.kind] or siamese != (self.head is not None):
            raise ModelError(
                f"export: a {self.kind} model cannot be shipped for the {self.task.kind} task "
                f"{self.task.name!r}; pairs need a siamese model with its head, texts a sequence "
                "model, embeddings an encoder: distill one"
            )
        if self.kind == "embedding" and self.ngrams is not None:
            raise ModelError("export: n-grams are for labels, and an embedding has none")
        if not self.sample_texts:
            raise OptionError("export: at least one sample text is needed to check the model on")
        rows = (*self.sample_texts, *self.labelled)
        if any(len(example.texts) != 1 + siamese for example in rows):
            raise OptionError(f"export: a row does not fit the {self.task.kind} task")
        if self.kind == "embedding" and self.labelled:
            raise OptionError("export: an embedding has no labels to calibrate on; leave them out")
        if any(example.label is None for example in self.labelled):
            raise OptionError("export: every row to calibrate on needs a label")
        check_long_inputs(self.long_inputs, self.task)
