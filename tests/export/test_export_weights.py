from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from codewren_export.gates import (
    accuracy_change,
    agreement_gate,
    cosine_gate,
    parity_gate,
    probability_change,
    size_gate,
)
from codewren_export.weights import store_weights, token_embeddings
from codewren_runtime.types import Example


def matmul(weight: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", weight.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", weight.shape[1]])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weight_in(model: onnx.ModelProto, rows: int) -> np.ndarray:
    """The weight that the arithmetic sees: the answer to a unit matrix."""
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.eye(rows, dtype=np.float32)})[0]


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e3))
def test_int8_is_within_half_a_step_of_each_column(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    weight = (spread * rng.normal(size=(32, 40)) * rng.uniform(0, 2, 40)).astype(np.float32)
    weight[:, 3] = 0
    step = np.abs(weight).max(0) / 127
    error = np.abs(weight_in(store_weights(matmul(weight), 8), 32) - weight)
    assert (error <= step * 0.5001 + 1e-12).all()


def looked_up(table: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Gather", ["t", "ids"], ["rows"])],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "length"])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", "length", table.shape[1]])],
        [numpy_helper.from_array(table, "t")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_an_embedding_is_widened_after_the_look_up_alone(bits: int) -> None:
    table = np.random.default_rng(0).normal(size=(400, 24)).astype(np.float32)
    model = store_weights(looked_up(table), bits)
    ids = np.array([[0, 399, 7], [7, 1, 1]])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"ids": ids})
    step = np.abs(table).max(1) / 127
    assert (np.abs(found - table[ids]) <= step[ids][..., None] * 0.5001).all()
    # Folding finds no constant to widen: nothing computed holds all rows.
    stored = {tensor.name for tensor in model.graph.initializer}
    readers = [node for node in model.graph.node if stored & set(node.input)]
    assert {node.op_type for node in readers} == {"Gather"}


def test_a_table_that_is_also_multiplied_is_widened_whole() -> None:
    table = np.ones((400, 24), dtype=np.float32)
    model = looked_up(table)
    model.graph.node.append(helper.make_node("MatMul", ["rows", "t"], ["y"]))
    assert "Cast" in [node.op_type for node in store_weights(model, 8).graph.node[:1]]


def test_a_narrow_table_keeps_its_small_values_beside_a_large_one() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(0, 0.01, (5_000, 2)).astype(np.float32)
    table[7], table[8] = (3.0, -1.0), (0.0, 0.0)
    parts = [numpy_helper.from_array(table, "t")]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph([helper.make_node("Gather", ["t", "ids"], ["y"])], "g", [ids],
                              [answer], parts)  # fmt: skip
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    for bits in (4, 8):
        small = store_weights(whole, bits)
        assert small.ByteSize() < 11_000
        session = ort.InferenceSession(
            small.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (found,) = session.run(None, {"ids": np.arange(5_000)})
        assert np.abs(found - table)[9:].mean() < 0.0006  # plain steps of 3 / 127 would lose all
        assert np.abs(found - table)[7:9].max() < 0.013


def test_half_precision_clips_instead_of_overflowing() -> None:
    weight = np.full((32, 40), 1e6, dtype=np.float32)
    assert weight_in(store_weights(matmul(weight), 16), 32).max() == np.finfo(np.float16).max


@pytest.mark.parametrize(("bits", "factor"), [(4, 7), (8, 4), (16, 2), (32, 1)])
def test_bytes_shrink_by_the_bits(bits: int, factor: int) -> None:
    model = matmul(np.ones((128, 512), dtype=np.float32))
    before = model.ByteSize()
    assert store_weights(model, bits).ByteSize() < before / factor + 3_000
    assert model.ByteSize() == before


def test_small_weights_stay() -> None:
    model = matmul(np.ones((8, 8), dtype=np.float32))
    assert store_weights(model, 8) == model


def test_gates_give_figures_and_verdicts() -> None:
    logits = np.array([[0.0, 1.0], [2.0, 0.0]] * 50, dtype=np.float32)
    assert parity_gate(logits, logits + 5e-5, logits).passed
    assert not parity_gate(logits, logits, logits + 2e-4).passed
    assert not parity_gate(logits, logits * np.nan).passed
    assert probability_change(logits, logits[:, ::-1]) > 0.4
    assert size_gate(10, 10).passed
    assert size_gate(10, None).passed
    assert not size_gate(11, 10).passed


@pytest.mark.parametrize(("samples", "others"), [(1, 1), (100, 1), (399, 1), (400, 2), (1366, 6)])
def test_half_a_percent_of_labels_may_change_or_one(samples: int, others: int) -> None:
    logits = np.tile(np.array([[0.0, 1.0]], dtype=np.float32), (samples, 1))
    for count in (others, min(samples, others + 1)):
        shipped = logits.copy()
        shipped[:count] = shipped[:count, ::-1]
        verdict = agreement_gate(logits, shipped)
        assert verdict.passed == (count == others)
        assert verdict.figure == pytest.approx(1 - count / samples)


def test_accuracy_change_needs_every_label() -> None:
    logits = np.array([[0, 1], [1, 0]], dtype=np.float32)
    samples = [Example("a", label=1), Example("b", label=0)]
    assert accuracy_change(logits, logits[::-1], samples) == -1
    assert accuracy_change(logits, logits, samples) == 0
    assert accuracy_change(logits, logits, [*samples[:1], Example("b")]) is None


@given(st.integers(0, 2**32 - 1), st.floats(1e-4, 1e2), st.sampled_from([32, 40, 64, 96]))
def test_int4_is_within_a_step_of_each_block(seed: int, spread: float, inputs: int) -> None:
    rng = np.random.default_rng(seed)
    weight = (spread * rng.normal(size=(inputs, 48))).astype(np.float32)
    weight[:, 3] = 0
    found = weight_in(store_weights(matmul(weight), 4), inputs)
    block = max(size for size in range(8, 33) if inputs % size == 0)
    step = np.abs(weight.reshape(-1, block, 48)).max(1, keepdims=True) / 8
    error = np.abs(found - weight).reshape(-1, block, 48)
    # Half a step; up to a whole one at that end of the scale which lacks its eighth step.
    assert (error <= step * 1.01 + 1e-6).all()
    assert (error <= step * 0.51 + 1e-6).mean() > 0.9


def test_a_matrix_that_no_block_divides_takes_8_bits() -> None:
    weight = np.random.default_rng(0).normal(size=(37, 48)).astype(np.float32)
    assert store_weights(matmul(weight), 4) == store_weights(matmul(weight), 8)


def test_the_gate_of_embeddings_goes_by_the_median_cosine() -> None:
    vectors = np.random.default_rng(0).normal(size=(101, 8)).astype(np.float32)
    assert cosine_gate(vectors, 3 * vectors).figure == pytest.approx(1)
    most = vectors.copy()
    most[:50] *= -1  # the median is one of the others
    assert cosine_gate(vectors, most).passed
    assert "lowest is -1.0000" in cosine_gate(vectors, most).line
    most[50] *= -1
    assert not cosine_gate(vectors, most).passed
    assert not cosine_gate(vectors, np.full_like(vectors, np.nan)).passed


def test_embeddings_of_more_tokens_than_the_window_has() -> None:
    tables = [
        numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(6, 2), "words"),
        numpy_helper.from_array(np.zeros((3, 2), np.float32), "places"),
    ]
    nodes = [
        helper.make_node("Gather", ["words", "input_ids"], ["found"]),
        helper.make_node("Add", ["found", "places"], ["sum"]),
        helper.make_node("ReduceMean", ["sum"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        tables,
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    found = token_embeddings(model.SerializeToString())
    assert found.tolist() == [[2 * i, 2 * i + 1] for i in range(6)]
