"""The graph made for this size, against torch, over random small shapes of every family."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    DistilBertConfig,
    RobertaConfig,
)

from codewren_export import Exportable
from codewren_export.encoder import Pooling
from codewren_export.families import read_encoder
from codewren_export.graph import text_graph
from codewren_export.quantise import QUANTS, quantise
from codewren_runtime.errors import ModelError
from codewren_runtime.types import Architecture, Example, Task

WINDOW, VOCAB = 24, 50
CONFIGS: dict[str, Any] = {"roberta": RobertaConfig, "bert": BertConfig, "albert": AlbertConfig}


def exportable(config: Any, *, single: bool = True, pooling: Pooling = "mean") -> Exportable:
    torch.manual_seed(0)
    kind: Any = AutoModelForSequenceClassification if single else AutoModel
    model = kind.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    shape = Architecture(VOCAB, 8, 1, 1, 8, WINDOW)  # only the window is read of it
    task = Task("t", "single" if single else "pair", ("a", "b", "c"))
    head = None if single else torch.nn.Linear(1, 1)
    sample = Example("x", None if single else "y")
    form = "sequence" if single else "siamese"
    return Exportable(task, shape, form, model, head, "{}", [sample], pooling)


def config(family: str, **changes: Any) -> Any:
    shape = {
        "vocab_size": VOCAB,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 12,
        "max_position_embeddings": WINDOW + 2,
        "type_vocab_size": 1,
        "num_labels": 3,
        "pad_token_id": 1,
    }
    return CONFIGS[family](**(shape | changes))


def answers(graph: onnx.ModelProto, ids: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["input_ids"]
    return session.run(None, {"input_ids": ids})[0]


def torch_answers(given: Exportable, ids: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        answer = given.model(input_ids=torch.from_numpy(ids))
    if given.head is None:
        return answer.logits.numpy()
    hidden = answer.last_hidden_state
    return (hidden[:, 0] if given.pooling == "first" else hidden.mean(1)).numpy()


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    heads = draw(st.integers(1, 4))
    layers = draw(st.integers(1, 4))
    shape = {
        "hidden_size": heads * draw(st.integers(1, 12)),
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": draw(st.integers(1, 40)),
        "hidden_act": draw(st.sampled_from(["gelu", "gelu_new", "relu"])),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
    }
    family = draw(st.sampled_from(sorted(CONFIGS)))
    if family == "albert":
        groups = [n for n in range(1, layers + 1) if layers % n == 0]
        shape["num_hidden_groups"] = draw(st.sampled_from(groups))
        shape["embedding_size"] = draw(st.integers(1, shape["hidden_size"]))
    return {"family": family} | shape


@settings(max_examples=40, deadline=None)
@given(
    shapes(),
    st.sampled_from(["single", "pair"]),
    st.sampled_from(["mean", "first"]),
    st.integers(1, 3),
    st.integers(2, WINDOW),
    st.integers(0, 2**32 - 1),
)
def test_graph_answers_as_torch_for_any_shape(
    shape: dict[str, Any], form: str, pooling: Pooling, rows: int, length: int, seed: int
) -> None:
    given_ = exportable(config(**shape), single=form == "single", pooling=pooling)
    ids = np.random.default_rng(seed).integers(2, VOCAB, size=(rows, length))
    graph = text_graph(read_encoder(given_))
    np.testing.assert_allclose(answers(graph, ids), torch_answers(given_, ids), atol=1e-4)
    assert graph == text_graph(read_encoder(given_))


def test_shared_layers_are_stored_once() -> None:
    sizes = [
        text_graph(
            read_encoder(exportable(config("albert", num_hidden_layers=n, hidden_size=64)))
        ).ByteSize()
        for n in (2, 3, 8)
    ]
    assert sizes[2] - sizes[1] == pytest.approx(5 * (sizes[1] - sizes[0]), rel=0.02)
    assert sizes[1] - sizes[0] < 700


def test_a_layer_adds_few_bytes_to_its_weights() -> None:
    def overhead(layers: int) -> int:
        graph = text_graph(read_encoder(exportable(config("roberta", num_hidden_layers=layers))))
        return graph.ByteSize() - sum(len(weight.raw_data) for weight in graph.graph.initializer)

    assert overhead(5) - overhead(4) < 660


def test_first_token_alone_is_computed_last() -> None:
    graph = text_graph(read_encoder(exportable(config("roberta"))))
    kinds = Counter(node.op_type for node in graph.graph.node)
    assert kinds["MultiHeadAttention"] == 2
    assert kinds["Unsqueeze"] == 1  # the one query


@pytest.mark.parametrize(
    ("name", "value"), [("hidden_act", "silu"), ("position_embedding_type", "relative_key")]
)
def test_variants_that_the_graph_lacks_are_refused(name: str, value: str) -> None:
    given_ = exportable(config("bert"))
    setattr(given_.model.config, name, value)
    with pytest.raises(ModelError, match="export:"):
        read_encoder(given_)


def test_a_family_without_an_adapter_is_refused() -> None:
    other = DistilBertConfig(vocab_size=VOCAB, dim=16, hidden_dim=12, n_layers=1, n_heads=2)
    with pytest.raises(ModelError, match="no adapter for the family 'distilbert'; known: roberta"):
        read_encoder(exportable(other))


@pytest.mark.parametrize("quant", QUANTS)
def test_every_precision_is_near_fp32_and_gives_the_same_bytes(quant: Any) -> None:
    wide = config("roberta", hidden_size=64, intermediate_size=96, num_hidden_layers=3)
    graph = text_graph(read_encoder(exportable(wide)))
    rng = np.random.default_rng(0)
    texts = [rng.integers(2, VOCAB, size=n).tolist() for n in range(4, WINDOW)]
    made = quantise(graph, quant, texts)
    assert made.SerializeToString(deterministic=True) == quantise(
        graph, quant, texts
    ).SerializeToString(deterministic=True)
    ids = rng.integers(2, VOCAB, size=(8, WINDOW))
    exact = answers(graph, ids)
    error = np.abs(answers(made, ids) - exact).max() / np.abs(exact).max()
    assert error <= {"fp32": 0, "fp16": 1e-2, "int8": 0.1}.get(quant, 0.6)
    assert quant == "fp32" or made.ByteSize() < graph.ByteSize()
    assert not any(node.name for node in made.graph.node)
