from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.latency.cpu import cpu_name
from codewren.latency.model import (
    PARTS,
    LatencyModel,
    Measurement,
    cross_validate,
    features,
    fit,
)
from codewren.latency.store import load_model, model_path, save_model
from codewren.latency.text import VOCABULARIES, token_count
from codewren.search.cost import Shapes
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture, TaskKind

RNG = np.random.default_rng(0)


def random_shapes(count: int) -> list[Architecture]:
    found = []
    for _ in range(count):
        heads, layers = int(RNG.choice([1, 2, 4, 8])), int(RNG.integers(1, 12))
        hidden = heads * int(RNG.integers(4, 40))
        middle = int(RNG.integers(32, 800))
        embedding = int(RNG.choice([0, min(16, hidden)]))
        found.append(Architecture(1000, hidden, layers, heads, middle, 400, embedding))
    return found


# Not below 0.001: of parts that are next to nothing, others may take the place.
costs = st.lists(st.floats(0.001, 1), min_size=len(PARTS), max_size=len(PARTS))


@given(costs)
@settings(max_examples=20, deadline=None)
def test_exact_times_are_fitted_exactly(true: list[float]) -> None:
    shapes = [shape for shape in random_shapes(40) for _ in range(3)]
    tokens = [int(n) for n in RNG.integers(5, 400, len(shapes))]
    kinds: list[TaskKind] = ["single" if i % 2 else "pair" for i in range(len(shapes))]
    measured = [
        Measurement(shape, kind, 3 * n, n, float(np.dot(true, features(shape, kind, 3 * n, n))))
        for shape, kind, n in zip(shapes, kinds, tokens, strict=True)
    ]
    predicted = cross_validate(measured)
    times = np.array([m.milliseconds for m in measured])
    assert np.abs(predicted / times - 1).max() < 0.05
    assert (fit(measured) >= 0).all()


def test_noise_shows_in_the_error_of_unseen_shapes() -> None:
    shapes = random_shapes(40)
    noisy = [Measurement(shape, "pair", 300, 100, float(np.exp(RNG.normal()))) for shape in shapes]
    errors = np.abs(cross_validate(noisy) / [m.milliseconds for m in noisy] - 1)
    assert np.median(errors) > 0.2
    with pytest.raises(OptionError, match="at least two architectures"):
        cross_validate(noisy[:1])


@given(st.integers(1, 5000), st.integers(261, 60_000), st.integers(8, 2000))
def test_longer_texts_and_smaller_vocabularies_take_more_tokens(
    characters: int, vocabulary: int, window: int
) -> None:
    tokens = token_count(characters, vocabulary, window)
    assert 1 <= tokens <= window
    assert tokens <= token_count(characters + 100, vocabulary, window)
    assert tokens >= token_count(characters, vocabulary * 2, window)


def test_the_median_function_of_devign_is_some_400_tokens_of_a_small_vocabulary() -> None:
    counts = token_count(950, np.array(VOCABULARIES), 10_000)
    assert counts.tolist() == [492, 400, 353, 323, 305, 294, 289]


COSTS = tuple(map(float, range(1, 1 + len(PARTS))))
MODEL = LatencyModel("a CPU", "1.2", COSTS, 40, 200, 0.05, 0.1)


def test_a_pair_costs_two_texts_and_an_array_what_each_costs() -> None:
    shapes = random_shapes(5)
    timing = MODEL.timing(500)
    together = timing(Shapes.of(shapes), "pair")
    alone = [timing(Shapes.of([shape]), "pair")[0] for shape in shapes]
    assert together.tolist() == pytest.approx(alone)
    tokens = token_count(500, 1000, 400)
    texts = [float(MODEL.text_ms(shape, "pair", 500, tokens)) for shape in shapes]
    assert alone == pytest.approx([2 * text for text in texts])


def test_a_single_model_is_spared_most_of_its_last_layer() -> None:
    one_layer = Architecture(1000, 96, 1, 8, 64)
    assert MODEL.text_ms(one_layer, "single", 900, 400) < MODEL.text_ms(one_layer, "pair", 900, 400)


def test_a_model_survives_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a b" / "model.json"
    save_model(path, MODEL)
    assert load_model(path) == MODEL
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert load_model() is None
    save_model(model_path(), MODEL)
    assert load_model() == MODEL
    assert cpu_name()
    assert model_path().is_relative_to(tmp_path / "cache" / "codewren")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("coefficients", {}),
        ("coefficients", None),
        ("coefficients", dict.fromkeys(PARTS, -1)),
        ("coefficients", {**dict.fromkeys(PARTS, 1), "luck": 1}),
        ("median_error", ...),
    ],
)
def test_a_damaged_model_is_one_clear_line(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "model.json"
    save_model(path, MODEL)
    data = json.loads(path.read_text())
    data[field] = value
    if value is ...:
        del data[field]
    path.write_text(json.dumps(data))
    with pytest.raises(OptionError, match="calibrate again") as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    with pytest.raises(OptionError, match="no such file"):
        load_model(tmp_path / "other.json")
