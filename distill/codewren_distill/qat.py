"""Quantisation-aware training: gradients are taken with the weights that a bundle will hold.

For the time of a forward and backward pass each weight that export stores in few bits gives way
to what export makes of it; the gradients then move the float weights, as if rounding were the
identity (straight-through: Bengio, Léonard & Courville 2013; for weights: Courbariaux et al.,
NeurIPS 2015; Jacob et al., CVPR 2018, section 3). In the end the rounded weights are the
student's own: what export stores is them, and rounding costs nothing any more.

The rule is export's (`codewren_runtime.rounding`), and so is what is rounded together: queries,
keys and values side by side; positions with the one token type, as many as the window has; the
weights of a pair head as rows, which always take 8 bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codewren_distill.classifier import Classifier
from codewren_distill.models import SiameseModel
from codewren_distill.settings import Precision
from codewren_runtime.rounding import Layout, store

__all__ = ["Rounding"]

BITS: dict[Precision, int] = {"int8": 8, "int4": 4}

Floats = NDArray[np.float32]


class Rounding:
    """The rounding of a student's weights; holds its modules, not their values."""

    def __init__(self, student: Classifier, precision: Precision) -> None:
        self.bits = BITS[precision]
        self.weights = list(_weights(student))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Round the weights, and put them back afterwards; gradients stay where they are."""
        parameters = [p for weight in self.weights for p in weight.parameters]
        kept = [parameter.detach().clone() for parameter in parameters]
        self.settle()
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, values in zip(parameters, kept, strict=True):
                    parameter.copy_(values)

    @torch.no_grad()
    def settle(self) -> None:
        """Round the weights for good; once more changes nothing but a last digit."""
        for weight in self.weights:
            stored = store(weight.read(), self.bits, weight.layout)
            if stored is not None:
                weight.write(stored.widened())


class _Weight(Protocol):
    """What export stores as one tensor, as parameters of torch."""

    @property
    def parameters(self) -> Sequence[Tensor]: ...

    @property
    def layout(self) -> Layout: ...

    def read(self) -> Floats: ...

    def write(self, values: Floats) -> None: ...


@dataclass(frozen=True)
class _Rows:
    """A table, or a matrix as torch has it."""

    parameter: Tensor
    layout: Layout

    @property
    def parameters(self) -> Sequence[Tensor]:
        return (self.parameter,)

    def read(self) -> Floats:
        return _array(self.parameter)

    def write(self, values: Floats) -> None:
        self.parameter.copy_(torch.from_numpy(values))


@dataclass(frozen=True)
class _Matrix:
    """Linear layers side by side, (in, out)."""

    parameters: Sequence[Tensor]
    layout: Layout = "columns"

    def read(self) -> Floats:
        return np.concatenate([_array(parameter).T for parameter in self.parameters], axis=1)

    def write(self, values: Floats) -> None:
        ends = np.cumsum([len(parameter) for parameter in self.parameters])[:-1]
        for parameter, part in zip(self.parameters, np.split(values, ends, axis=1), strict=True):
            parameter.copy_(torch.from_numpy(part.T))


@dataclass(frozen=True)
class _Positions:
    """The window's positions from the row `first`, each with the one token type added to it.

    The sum is written to the positions, and 0 to the type.
    """

    positions: Tensor
    one_type: Tensor
    first: int
    window: int
    layout: Layout = "rows"

    @property
    def parameters(self) -> Sequence[Tensor]:
        return self.positions, self.one_type

    def read(self) -> Floats:
        rows = _array(self.positions)[self.first :][: self.window]
        total: Floats = rows + _array(self.one_type)[0]
        return total

    def write(self, values: Floats) -> None:
        self.positions[self.first :][: self.window].copy_(torch.from_numpy(values))
        self.one_type.zero_()


def _weights(student: Classifier) -> Iterator[_Weight]:
    core = student.core
    embeddings = core.base_model.embeddings
    yield _Rows(embeddings.word_embeddings.weight, "table")
    # RoBERTa numbers positions from the padding's id + 1.
    first = core.config.pad_token_id + 1 if core.config.model_type == "roberta" else 0
    positions = embeddings.position_embeddings.weight, embeddings.token_type_embeddings.weight
    yield _Positions(*positions, first, student.max_length)
    for layers in _side_by_side(core):
        yield _Matrix([layer.weight for layer in layers])
    if isinstance(student.model, SiameseModel):
        for layer in _linear(student.model.head):
            yield _Rows(layer.weight, "rows")
    if student.ngrams is not None:
        yield _Rows(student.ngrams.table, "table")


def _side_by_side(core: nn.Module) -> list[list[nn.Linear]]:
    attention: Any = [module for module in core.modules() if hasattr(module, "query")]
    packed = [[module.query, module.key, module.value] for module in attention]
    taken = {layer for layers in packed for layer in layers}
    return packed + [[layer] for layer in _linear(core) if layer not in taken]


def _linear(module: nn.Module) -> list[nn.Linear]:
    return [part for part in module.modules() if isinstance(part, nn.Linear)]


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float32)
