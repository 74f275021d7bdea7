"""Read a transformers model into an `Encoder`: one adapter for each family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from codewren_export.encoder import Activation, Array, Encoder, Head, Layer, Linear, Ngrams, Norm
from codewren_export.exportable import Exportable
from codewren_runtime.errors import ModelError

__all__ = ["FAMILIES", "read_encoder"]

ACTIVATIONS: Mapping[str, Activation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


def read_encoder(exportable: Exportable) -> Encoder:
    """The model's own weights as an `Encoder`, with as many positions as the window has.

    Raises ModelError for a family without an adapter, or a variant that the graph lacks.
    """
    config: Any = exportable.model.config
    if config.model_type not in FAMILIES:
        raise ModelError(
            f"export: no adapter for the family {config.model_type!r}; known: {', '.join(FAMILIES)}"
        )
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise ModelError("export: only absolute position embeddings can be exported")
    if config.hidden_act not in ACTIVATIONS:
        raise ModelError(
            f"export: activation {config.hidden_act!r} cannot be exported; "
            f"known: {', '.join(ACTIVATIONS)}"
        )
    encoder = FAMILIES[config.model_type](exportable.model, config)
    positions = encoder.positions[: exportable.architecture.max_length]
    pooling = exportable.pooling if encoder.head is None else "first"
    ngrams = None if exportable.ngrams is None else _ngrams(exportable.ngrams)
    return replace(encoder, positions=positions, pooling=pooling, ngrams=ngrams)


def _ngrams(bag: Any) -> Ngrams:
    table, bias = _array(bag.table), _array(bag.bias)
    return Ngrams(table, bias, int(bag.multiplier), bag.counting == "presence")


def _roberta(model: Any, config: Any) -> Encoder:
    # Positions are numbered from the padding's id + 1.
    return _bert_like(model, config, first_position=config.pad_token_id + 1)


def _bert(model: Any, config: Any) -> Encoder:
    return _bert_like(model, config, first_position=0)


def _bert_like(model: Any, config: Any, first_position: int) -> Encoder:
    base = getattr(model, config.model_type, model)
    return _encoder(
        base.embeddings,
        first_position,
        projection=None,
        layers=tuple(_bert_layer(layer, config) for layer in base.encoder.layer),
        head=_head(model, base),
    )


def _albert(model: Any, config: Any) -> Encoder:
    base = getattr(model, "albert", model)
    stack = base.encoder
    groups = [
        [_albert_layer(layer, config) for layer in group.albert_layers]
        for group in stack.albert_layer_groups
    ]
    repeats = config.num_hidden_layers // len(groups)
    return _encoder(
        base.embeddings,
        0,
        projection=_linear(stack.embedding_hidden_mapping_in),
        layers=tuple(layer for group in groups for _ in range(repeats) for layer in group),
        head=_head(model, base),
    )


Adapter = Callable[[Any, Any], Encoder]
FAMILIES: Mapping[str, Adapter] = {"roberta": _roberta, "bert": _bert, "albert": _albert}


def _encoder(
    embeddings: Any,
    first_position: int,
    *,
    projection: Linear | None,
    layers: tuple[Layer, ...],
    head: Head | None,
) -> Encoder:
    positions = _array(embeddings.position_embeddings.weight)[first_position:]
    one_type = _array(embeddings.token_type_embeddings.weight)[0]
    return Encoder(
        words=_array(embeddings.word_embeddings.weight),
        positions=positions + one_type,
        norm=_norm(embeddings.LayerNorm),
        projection=projection,
        layers=layers,
        pooling="first",
        head=head,
    )


def _bert_layer(layer: Any, config: Any) -> Layer:
    return Layer(
        heads=config.num_attention_heads,
        qkv=_packed(layer.attention.self),
        output=_linear(layer.attention.output.dense),
        attention_norm=_norm(layer.attention.output.LayerNorm),
        up=_linear(layer.intermediate.dense),
        activation=ACTIVATIONS[config.hidden_act],
        down=_linear(layer.output.dense),
        norm=_norm(layer.output.LayerNorm),
    )


def _albert_layer(layer: Any, config: Any) -> Layer:
    return Layer(
        heads=config.num_attention_heads,
        qkv=_packed(layer.attention),
        output=_linear(layer.attention.dense),
        attention_norm=_norm(layer.attention.LayerNorm),
        up=_linear(layer.ffn),
        activation=ACTIVATIONS[config.hidden_act],
        down=_linear(layer.ffn_output),
        norm=_norm(layer.full_layer_layer_norm),
    )


def _head(model: Any, base: Any) -> Head | None:
    """RoBERTa keeps both layers in its classifier, BERT and ALBERT the first one as a pooler."""
    if model is base:
        return None
    classifier = model.classifier
    if not isinstance(classifier, nn.Linear):
        return Head(_linear(classifier.dense), _linear(classifier.out_proj))
    pooler = base.pooler
    return Head(_linear(getattr(pooler, "dense", pooler)), _linear(classifier))


def _packed(attention: Any) -> Linear:
    parts = [_linear(getattr(attention, name)) for name in ("query", "key", "value")]
    weight = np.concatenate([part.weight for part in parts], axis=1)
    return Linear(weight, np.concatenate([part.bias for part in parts]))


def _linear(layer: nn.Linear) -> Linear:
    return Linear(np.ascontiguousarray(_array(layer.weight).T), _array(layer.bias))


def _norm(layer: nn.LayerNorm) -> Norm:
    return Norm(_array(layer.weight), _array(layer.bias), layer.eps)


def _array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().float().cpu().numpy(), dtype=np.float32)
