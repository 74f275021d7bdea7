"""Layers that do not train: the embeddings and the lowest of an encoder's layers."""

from __future__ import annotations

from typing import Any

from torch import nn

from codewren_runtime.errors import OptionError

__all__ = ["freeze_layers"]


def freeze_layers(core: Any, count: int) -> None:
    """Stop the gradients of the embeddings and the `count` lowest layers; 0 freezes nothing.

    `core` is a transformers model. Raises OptionError if it has fewer layers, or if layers of
    it share their weights, as ALBERT's do.
    """
    if count == 0:
        return
    encoder = core.base_model
    layers = _layers(encoder)
    if count > len(layers):
        raise OptionError(
            f"freeze_layers {count} is more than the {len(layers)} layers of a "
            f"{core.config.model_type} that train apart"
        )
    embeddings = getattr(encoder, "embeddings", None)
    for module in (embeddings or encoder.get_input_embeddings(), *layers[:count]):
        module.requires_grad_(requires_grad=False)


def _layers(encoder: Any) -> list[nn.Module]:
    """The encoder's stack of layers: its list of modules with one per layer."""
    wanted = encoder.config.num_hidden_layers  # of T5 an alias of num_layers
    stacks = [m for m in encoder.modules() if isinstance(m, nn.ModuleList) and len(m) == wanted]
    return list(stacks[0]) if stacks else []
