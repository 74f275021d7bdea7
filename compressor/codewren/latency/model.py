"""A latency model: what one prediction takes on one core, for any architecture and length.

A prediction is a sum of parts that are each in proportion to a count which the architecture
and the text give (`features`); what one unit of each part costs on a given CPU is fitted to
measurements, never below zero, by least squares of the relative error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren.latency.text import token_count
from codewren.search.cost import Genes, Shapes, Timing, is_factorised
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture, TaskKind

__all__ = ["PARTS", "LatencyModel", "Measurement", "cross_validate", "features", "fit"]

Floats = NDArray[np.float64]

# What is paid for, in the order of `features`.
PARTS = (
    "call",
    "characters",
    "layers",
    "matrix products",
    "weights read",
    "norms and residuals",
    "GELU",
    "heads",
    "attention exponentials",
    "attention products",
)
LANE = 16  # float32 values in the widest register: narrower heads leave part of it idle
FOLDS = 8


@dataclass(frozen=True, slots=True)
class Measurement:
    """Median milliseconds of one text of so many characters and tokens.

    Of a "single" model it is a whole prediction, of the others one embedding.
    """

    architecture: Architecture
    kind: TaskKind
    characters: int
    tokens: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class LatencyModel:
    """A fitted model, and what it was fitted on.

    `coefficients` go with `PARTS`, in milliseconds per unit. `median_error` and `p90_error`
    are relative errors on architectures that the fit had not seen (cross-validation over
    architectures).
    """

    cpu: str
    onnxruntime: str
    coefficients: tuple[float, ...]
    architectures: int
    measurements: int
    median_error: float
    p90_error: float

    def text_ms(self, shapes: Genes[Any], kind: TaskKind, characters: Any, tokens: Any) -> Floats:
        """Milliseconds of one text, an array of the common shape of what is given."""
        parts = features(shapes, kind, characters, tokens)
        return np.asarray(
            sum(cost * part for cost, part in zip(self.coefficients, parts, strict=True))
        )

    def timing(self, characters: int) -> Timing:
        """Predicts a whole prediction of a text (a pair: two texts) of so many characters."""

        def milliseconds(shapes: Shapes, kind: TaskKind) -> Floats:
            tokens = token_count(characters, shapes.vocab_size, shapes.max_length)
            texts = 2 if kind == "pair" else 1
            return texts * self.text_ms(shapes, kind, characters, tokens)

        return milliseconds

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; the coefficients by the names of their parts."""
        costs = dict(zip(PARTS, self.coefficients, strict=True))
        return {**asdict(self), "coefficients": costs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LatencyModel:
        """Inverse of `to_json`; raises OptionError for anything else."""
        try:
            values = {field.name: data[field.name] for field in fields(cls)}
            costs = values["coefficients"]
            numbers = tuple(float(costs[part]) for part in PARTS)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise OptionError(f"latency model: damaged ({error}); calibrate again") from error
        if len(costs) != len(PARTS) or not all(0 <= number < np.inf for number in numbers):
            raise OptionError("latency model: damaged (costs); calibrate again")
        return cls(**{**values, "coefficients": numbers})


def features(shape: Genes[Any], kind: TaskKind, characters: Any, tokens: Any) -> tuple[Floats, ...]:
    """How much of each of `PARTS` one text contains, arrays of one common shape.

    The exported graph computes the last layer of a "single" model for the first token alone,
    from the keys and values of all.
    """
    h, i, heads = shape.hidden_size, shape.intermediate_size, shape.num_heads
    n = tokens * 1.0  # floats: at 64 bits the products of integers could wrap around
    last = 1 if kind == "single" else 0
    full = shape.num_layers - last
    queries = full * n + last  # tokens whose state is computed, over all layers
    projection = is_factorised(shape) * shape.embedding_size * h
    products = n * projection + queries * (2 * h * h + 2 * h * i) + n * 2 * h * h * (full + last)
    scores = queries * n * heads
    padded = -(-(h // heads) // LANE) * LANE
    parts = (
        1.0,
        characters / 1e3,
        shape.num_layers,
        products / 1e6,
        (shape.num_layers * (4 * h * h + 2 * h * i) + projection) / 1e6,
        (queries + n) * h / 1e3,
        queries * i / 1e3,
        (queries + n) * heads / 1e3,
        scores / 1e6,
        scores * padded / 1e6,
    )
    return tuple(np.broadcast_arrays(*(np.asarray(part, dtype=np.float64) for part in parts)))


def fit(measurements: Sequence[Measurement]) -> Floats:
    """The cost of each of `PARTS` that fits best: least relative squares, none below zero."""
    from scipy.optimize import nnls

    matrix, times = _system(measurements)
    costs, _ = nnls(matrix / times[:, None], np.ones(len(times)))
    return np.asarray(costs)


def cross_validate(measurements: Sequence[Measurement]) -> Floats:
    """Predicted milliseconds (n,) of each measurement by a fit that had not seen its shape.

    Architectures are dealt to at most `FOLDS` folds, in order of first appearance. Raises
    OptionError for fewer than two architectures.
    """
    shapes = list(dict.fromkeys(m.architecture for m in measurements))
    folds = min(FOLDS, len(shapes))
    if folds < 2:
        raise OptionError("calibrate: at least two architectures are needed")
    fold = np.array([shapes.index(m.architecture) % folds for m in measurements])
    matrix, _ = _system(measurements)
    predicted = np.empty(len(measurements))
    for held_out in range(folds):
        seen = [m for m, f in zip(measurements, fold, strict=True) if f != held_out]
        predicted[fold == held_out] = matrix[fold == held_out] @ fit(seen)
    return predicted


def _system(measurements: Sequence[Measurement]) -> tuple[Floats, Floats]:
    rows = [
        np.stack(features(m.architecture, m.kind, m.characters, m.tokens)) for m in measurements
    ]
    return np.stack(rows), np.array([m.milliseconds for m in measurements])
