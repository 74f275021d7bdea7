"""A RoBERTa that reads data flow: variable nodes beside the code, masked by the graph."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from codewren_distill.data_flow.text import FIRST, MAX_NODES, NODE
from codewren_distill.models import SequenceModel
from codewren_runtime.errors import ModelError

__all__ = ["GraphModel", "graph_window"]


class GraphModel(SequenceModel):
    """A RoBERTa sequence classifier over code and nodes (Guo et al., ICLR 2021, section 4)."""

    def forward(self, **batch: Tensor) -> Tensor:
        """Logits (b, labels) of what `DataFlowText.collate` made.

        A node starts as the mean of the embeddings of the code tokens that it is.
        """
        mask, positions = batch["attention_mask"], batch["position_ids"]
        model: Any = self.model
        words = model.base_model.embeddings.word_embeddings(batch["input_ids"])
        is_node = positions == NODE
        share = (mask * is_node[:, :, None] * (positions >= FIRST)[:, None, :]).to(words.dtype)
        share = share / share.sum(-1, keepdim=True).clamp_min(1)
        words = torch.where(is_node[:, :, None], share @ words, words)
        sees = _as_read(mask, model, words.dtype)
        out = model(inputs_embeds=words, attention_mask=sees, position_ids=positions)
        return cast(Tensor, out.logits)


def _as_read(mask: Tensor, model: Any, dtype: torch.dtype) -> Tensor:
    """Who sees whom (b, length, length) as the model's transformers reads it.

    4 makes of it what is added to the scores of attention; 5 takes that alone, (b, 1, length,
    length).
    """
    if hasattr(model, "get_extended_attention_mask"):
        return mask
    return (1 - mask[:, None].to(dtype)) * torch.finfo(dtype).min


def graph_window(config: Any, max_length: int) -> int:
    """Tokens of code beside which all nodes have room; ModelError for another architecture.

    Nodes and padding have positions of their own only in RoBERTa's numbering.
    """
    if config.model_type != "roberta" or config.pad_token_id != 1:
        raise ModelError(
            f"data flow needs a roberta checkpoint (GraphCodeBERT, CodeBERT), not a "
            f"{config.model_type}; leave out --data-flow"
        )
    room = int(config.max_position_embeddings) - MAX_NODES - FIRST
    if room < FIRST:
        raise ModelError(
            f"data flow needs more than {MAX_NODES + 2 * FIRST} positions, the checkpoint has "
            f"{config.max_position_embeddings}; leave out --data-flow"
        )
    return min(max_length, room)
