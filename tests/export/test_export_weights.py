from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from codewren_export.gates import agreement_gate, parity_gate, probability_change, size_gate
from codewren_export.weights import store_weights


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


def test_half_precision_clips_instead_of_overflowing() -> None:
    weight = np.full((32, 40), 1e6, dtype=np.float32)
    assert weight_in(store_weights(matmul(weight), 16), 32).max() == np.finfo(np.float16).max


@pytest.mark.parametrize(("bits", "factor"), [(8, 4), (16, 2), (32, 1)])
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
    flipped = logits.copy()
    flipped[:1] = flipped[:1, ::-1]
    verdict = agreement_gate(logits, flipped)
    assert verdict.passed
    assert verdict.figure == 0.99
    assert probability_change(logits, flipped) > 0.4
    flipped[:2] = logits[:2, ::-1]
    assert not agreement_gate(logits, flipped).passed
    assert size_gate(10, 10).passed
    assert size_gate(10, None).passed
    assert not size_gate(11, 10).passed


def test_flip_of_a_toss_up_counts_but_does_not_fail() -> None:
    reference = np.array([[0.0, 1e-4]], dtype=np.float32)
    verdict = agreement_gate(reference, reference[:, ::-1])
    assert verdict.passed
    assert verdict.figure == 0
