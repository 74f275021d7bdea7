"""The plain graphs of torch's own exporter: what optimum makes of a model, and the pair head.

A bundle ships the graph of `codewren_export.graph` instead; optimum's, made in another way from
the same model, is what that one must agree with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from codewren_export.encoder import Pooling
from codewren_export.exportable import Exportable

__all__ = ["as_one", "head_graph", "reference_graph"]

OPSET = 17  # the pair head ships in it
EXAMPLE_LENGTH = 16


class PooledEncoder(nn.Module):
    """An encoder with its pooling: token ids and mask (n, length) to embeddings (n, hidden).

    With `ngrams`, their scores of traits take the place of the last numbers.
    """

    def __init__(self, encoder: nn.Module, pooling: Pooling, ngrams: nn.Module | None) -> None:
        super().__init__()
        self.encoder, self.pooling, self.ngrams = encoder, pooling, ngrams
        self.config = encoder.config  # optimum looks for it on what it exports

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """The one output, `embedding`."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        if self.pooling == "first":
            return {"embedding": hidden[:, 0]}
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)
        if self.ngrams is None:
            return {"embedding": pooled}
        scores = self.ngrams(input_ids, attention_mask)
        return {"embedding": torch.cat((pooled[:, : -scores.shape[1]], scores), dim=1)}


class WithNgrams(nn.Module):
    """A sequence model and its n-grams: token ids and mask (n, length) to their summed logits."""

    def __init__(self, model: nn.Module, ngrams: nn.Module) -> None:
        super().__init__()
        self.model, self.ngrams = model, ngrams
        self.config = model.config

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """The one output, `logits`."""
        own = self.model(input_ids=input_ids, attention_mask=attention_mask)[0]
        return {"logits": own + self.ngrams(input_ids, attention_mask)}


def as_one(exportable: Exportable) -> nn.Module:
    """All that reads a text, as one torch module with one output, in evaluation mode."""
    model = exportable.model
    if exportable.kind != "sequence":
        model = PooledEncoder(model, exportable.pooling, exportable.ngrams)
    elif exportable.ngrams is not None:
        model = WithNgrams(model, exportable.ngrams)
    return model.eval()


def reference_graph(exportable: Exportable, folder: Path) -> onnx.ModelProto:
    """input_ids and attention_mask (n, length) to `logits` (n, labels) or `embedding` (n, H)."""
    # Here alone: all else of an export, and what measures latency, does without optimum.
    from optimum.exporters.onnx import export
    from optimum.exporters.tasks import TasksManager

    path = folder / "text.onnx"
    model: Any = exportable.model
    embedded = exportable.kind != "sequence"
    task = "feature-extraction" if embedded else "text-classification"
    kind = TasksManager.get_exporter_config_constructor(
        "onnx", model_type=model.config.model_type, task=task, library_name="transformers"
    ).func
    config = (_embedding(kind) if embedded else _two_inputs(kind))(model.config, task=task)
    # optimum's example input is 16 tokens long, more than the smallest windows hold.
    length = min(EXAMPLE_LENGTH, exportable.architecture.max_length)
    export(
        as_one(exportable),
        config,
        path,
        opset=OPSET,
        input_shapes={"sequence_length": length},
    )
    return onnx.load(path)


def head_graph(head: nn.Module, hidden_size: int, folder: Path) -> onnx.ModelProto:
    """embedding_1 and embedding_2 (n, H) to `logits` (n, labels)."""
    path = folder / "head.onnx"
    inputs = ["embedding_1", "embedding_2"]
    torch.onnx.export(
        head.eval(),
        (torch.zeros(2, hidden_size), torch.zeros(2, hidden_size)),
        str(path),
        input_names=inputs,
        output_names=["logits"],
        dynamic_axes={name: {0: "batch_size"} for name in (*inputs, "logits")},
        opset_version=OPSET,
        dynamo=False,
    )
    return onnx.load(path)


def _two_inputs(kind: Any) -> Any:
    """Optimum's configuration of a family without token types, which no student has."""

    class Config(kind):  # type: ignore[misc]  # optimum is untyped
        @property
        def inputs(self) -> dict[str, dict[int, str]]:
            axes = {0: "batch_size", 1: "sequence_length"}
            return {"input_ids": axes, "attention_mask": axes}

    return Config


def _embedding(kind: Any) -> Any:
    """The same with the one output of `PooledEncoder`."""

    class Config(_two_inputs(kind)):  # type: ignore[misc]
        @property
        def outputs(self) -> dict[str, dict[int, str]]:
            return {"embedding": {0: "batch_size"}}

    return Config
