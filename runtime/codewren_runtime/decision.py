"""From logits to an answer: temperature, threshold, and what becomes of long texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from codewren_runtime.errors import OptionError
from codewren_runtime.types import Prediction, Task

__all__ = [
    "MAX_TEMPERATURE",
    "MIN_TEMPERATURE",
    "Decision",
    "LongInputs",
    "check_long_inputs",
]

# What becomes of a text that is longer than the window: only its beginning is read, or it is
# split into windows whose answers become one, by their mean (weighted by tokens) or, of two
# labels, by the window that is likeliest to be positive.
LongInputs = Literal["truncate", "split-mean", "split-max"]

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 100.0


@dataclass(frozen=True, slots=True)
class Decision:
    """How logits become a prediction.

    Probabilities are softmax(logits / `temperature`) (Guo et al., "On Calibration of Modern
    Neural Networks", ICML 2017), which keeps the order of the labels. Of two labels, `positive`
    is the answer where its probability is at least `threshold`; both are None for more labels,
    where the likeliest is the answer. `calibration` is a plain JSON object for people to read:
    what temperature and threshold were fitted on, and how well they fit.
    """

    temperature: float = 1.0
    positive: str | None = None
    threshold: float | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _is_within(self.temperature, MIN_TEMPERATURE, MAX_TEMPERATURE):
            raise OptionError(
                f"decision: temperature must lie in {MIN_TEMPERATURE}..{MAX_TEMPERATURE:g}, "
                f"not {self.temperature!r:.40}"
            )
        if (self.positive is None) != (self.threshold is None):
            raise OptionError("decision: positive and threshold belong together")
        if self.threshold is not None and not (
            _is_within(self.threshold, 0, 1) and 0 < self.threshold < 1
        ):
            raise OptionError(
                f"decision: threshold must lie between 0 and 1, not {self.threshold!r:.40}"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "temperature": self.temperature,
            "positive": self.positive,
            "threshold": self.threshold,
            "calibration": dict(self.calibration),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], task: Task) -> Decision:
        """Inverse of `to_json`; raises OptionError for anything that does not fit the task."""
        if set(data) != set(cls.__dataclass_fields__):
            raise OptionError(f"decision: fields must be {', '.join(cls.__dataclass_fields__)}")
        if not isinstance(data["calibration"], dict):
            raise OptionError("decision: calibration must be an object")
        decision = cls(**data)
        if decision.positive is not None and (
            len(task.labels) != 2 or decision.positive not in task.labels
        ):
            raise OptionError(
                f"decision: positive must be one of two labels, not {decision.positive!r:.40}"
            )
        return decision

    def predict(self, logits: Sequence[float], labels: Sequence[str]) -> Prediction:
        """The answer for the logits of `labels`, which must be finite."""
        top = max(logits)
        weights = [math.exp((logit - top) / self.temperature) for logit in logits]
        total = sum(weights)
        probabilities = {
            label: weight / total for label, weight in zip(labels, weights, strict=True)
        }
        label = self._label(logits, labels)
        return Prediction(label, probabilities[label], probabilities)

    def _label(self, logits: Sequence[float], labels: Sequence[str]) -> str:
        if self.threshold is None or self.positive is None:
            return labels[logits.index(max(logits))]
        at = labels.index(self.positive)
        # In logits: a probability near 0 or 1 is rounded, their difference is not.
        margin = (logits[at] - logits[1 - at]) / self.temperature
        is_positive = margin >= math.log(self.threshold / (1 - self.threshold))
        return labels[at if is_positive else 1 - at]


def check_long_inputs(value: object, task: Task) -> LongInputs:
    """`value` itself; raises OptionError where it is none of the ways, or none for the task."""
    if value not in get_args(LongInputs):
        raise OptionError(
            f"long_inputs must be one of {', '.join(get_args(LongInputs))}, not {value!r:.40}"
        )
    if value == "split-max" and (task.kind != "single" or len(task.labels) != 2):
        raise OptionError("long_inputs: split-max needs a single-text task of two labels")
    return cast(LongInputs, value)


def _is_within(value: object, least: float, most: float) -> bool:
    """Whether `value` is a number in the range; not so for NaN, a string or True."""
    return isinstance(value, int | float) and type(value) is not bool and least <= value <= most
