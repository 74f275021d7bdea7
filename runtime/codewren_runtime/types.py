"""The frozen vocabulary of the toolchain: what every package hands to the next.

No behaviour here needs torch. Each type turns into plain JSON values and back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Literal, get_args

from codewren_runtime.errors import OptionError

__all__ = [
    "MAX_SEED",
    "MIN_LENGTH",
    "Architecture",
    "Example",
    "Normalisation",
    "Prediction",
    "Task",
    "TaskKind",
]

TaskKind = Literal["single", "pair", "embedding"]
Normalisation = Literal["published", "structure", "words", "raw", "nameless"]

MIN_LENGTH = 8
MAX_SEED = 2**32 - 1  # which every library takes


@dataclass(frozen=True, slots=True)
class Architecture:
    """Shape of an encoder: RoBERTa's or, with the last two genes, ALBERT's.

    `max_length` counts tokens, the two special ones included; the published
    student (Shi et al., ASE 2022) is `Architecture(1000, 96, 12, 8, 64, 400)`.

    `embedding_size` (0: the hidden size) factorises the embedding: tables of that width and
    a matrix up to `hidden_size`. `shared_layers` consecutive layers are one set of weights.
    Source of both: Lan et al., "ALBERT" (ICLR 2020), section 3.1.
    """

    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    max_length: int = 400
    embedding_size: int = 0
    shared_layers: int = 1

    def __post_init__(self) -> None:
        if self.embedding_size == 0 and type(self.embedding_size) is int:
            object.__setattr__(self, "embedding_size", self.hidden_size)
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise OptionError(
                    f"architecture: {field.name} must be a positive integer, not {value!r}"
                )
        if self.hidden_size % self.num_heads:
            raise OptionError(
                f"architecture: hidden_size {self.hidden_size} is not divisible by "
                f"num_heads {self.num_heads}"
            )
        if self.embedding_size > self.hidden_size:
            raise OptionError(
                f"architecture: embedding_size {self.embedding_size} is above "
                f"hidden_size {self.hidden_size}"
            )
        if self.num_layers % self.shared_layers:
            raise OptionError(
                f"architecture: num_layers {self.num_layers} is not divisible by "
                f"shared_layers {self.shared_layers}"
            )
        if self.max_length < MIN_LENGTH:
            raise OptionError(f"architecture: max_length must be at least {MIN_LENGTH}")

    @property
    def family(self) -> Literal["roberta", "albert"]:
        """Which encoder of transformers has this shape; the plainer one where both have."""
        plain = self.embedding_size == self.hidden_size and self.shared_layers == 1
        return "roberta" if plain else "albert"

    def to_json(self) -> dict[str, int]:
        """Plain JSON values, in field order."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Architecture:
        """Inverse of `to_json`; raises OptionError for missing, unknown or bad fields."""
        known = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if unknown := sorted(set(data) - known):
            raise OptionError(f"architecture: unknown field {unknown[0]!r}")
        if missing := sorted(needed - set(data)):
            raise OptionError(f"architecture: field {missing[0]!r} is missing")
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Task:
    """What a model answers: its labels in logit order, and how text is prepared for it.

    An "embedding" task has no labels: its model answers one text with a vector, whose cosine
    with another's says how alike the two are, for search.
    """

    name: str
    kind: TaskKind
    labels: tuple[str, ...]
    normalisation: Normalisation = "raw"

    def __post_init__(self) -> None:
        if self.kind not in get_args(TaskKind):
            raise OptionError(
                f"task: kind must be one of {', '.join(get_args(TaskKind))}, not {self.kind!r}"
            )
        if self.normalisation not in get_args(Normalisation):
            raise OptionError(
                f"task: normalisation must be one of {', '.join(get_args(Normalisation))}, "
                f"not {self.normalisation!r}"
            )
        if self.kind == "embedding":
            if self.labels:
                raise OptionError(f"task: embeddings have no labels, got {list(self.labels)}")
        elif len(self.labels) < 2:
            raise OptionError(f"task: at least two labels are needed, got {list(self.labels)}")
        if not all(isinstance(label, str) and label for label in self.labels):
            raise OptionError("task: every label must be a non-empty string")
        if len(set(self.labels)) != len(self.labels):
            raise OptionError(f"task: labels repeat: {list(self.labels)}")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "labels": list(self.labels),
            "normalisation": self.normalisation,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Task:
        """Inverse of `to_json`; raises OptionError for anything else."""
        if set(data) != {"name", "kind", "labels", "normalisation"}:
            raise OptionError(
                f"task: fields must be name, kind, labels, normalisation; got {sorted(data)}"
            )
        if not isinstance(data["name"], str) or not isinstance(data["labels"], list):
            raise OptionError("task: name must be a string and labels a list")
        return cls(data["name"], data["kind"], tuple(data["labels"]), data["normalisation"])


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a data set: one text, or two for a pair task; the label index where known.

    `original` are the one or two texts that this is a rewriting of, with the same meaning.
    """

    text: str
    text2: str | None = None
    label: int | None = None
    original: tuple[str, ...] | None = None

    @classmethod
    def of(cls, texts: Sequence[str]) -> Example:
        """Of one text or two, without a label."""
        return cls(texts[0], texts[1] if len(texts) > 1 else None)

    @property
    def texts(self) -> tuple[str, ...]:
        """The one or two texts."""
        return (self.text,) if self.text2 is None else (self.text, self.text2)

    @property
    def taught(self) -> tuple[str, ...]:
        """The texts whose soft label this has: a rewriting has that of what it was made from."""
        return self.texts if self.original is None else self.original


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer: the label, its probability, and all probabilities by label.

    The label is the likeliest, unless the bundle's threshold of the positive label says otherwise.
    """

    label: str
    probability: float
    probabilities: Mapping[str, float]
