"""From torch to plain fp32 ONNX, through optimum; the pair head through torch alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from optimum.exporters.onnx import export
from optimum.exporters.onnx.model_configs import RobertaOnnxConfig
from torch import Tensor, nn

from codewren_export.exportable import Exportable

__all__ = ["PooledEncoder", "head_graph", "text_graph"]

OPSET = 17  # LayerNormalization as one operator; read by every onnxruntime since 1.12

EXAMPLE_LENGTH = 16


class PooledEncoder(nn.Module):
    """An encoder with mean pooling: token ids and mask (n, length) to embeddings (n, hidden)."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = encoder.config  # optimum looks for it on what it exports

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """The one output, `embedding`."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]
        weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return {"embedding": (hidden * weights).sum(1) / weights.sum(1).clamp_min(1)}


class _EmbeddingConfig(RobertaOnnxConfig):  # type: ignore[misc]  # optimum is untyped
    """optimum's RoBERTa configuration with another output."""

    @property
    def outputs(self) -> dict[str, dict[int, str]]:
        return {"embedding": {0: "batch_size"}}


def text_graph(exportable: Exportable, folder: Path) -> onnx.ModelProto:
    """input_ids and attention_mask (n, length) to `logits` (n, labels) or `embedding` (n, H)."""
    path = folder / "text.onnx"
    model: Any = exportable.model
    if exportable.kind == "sequence":
        config = RobertaOnnxConfig(model.config, task="text-classification")
    else:
        config = _EmbeddingConfig(model.config, task="feature-extraction")
        model = PooledEncoder(model)
    # optimum's example input is 16 tokens long, more than the smallest windows hold.
    length = min(EXAMPLE_LENGTH, exportable.architecture.max_length)
    export(model.eval(), config, path, opset=OPSET, input_shapes={"sequence_length": length})
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
