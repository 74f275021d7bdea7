from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codewren_runtime
from codewren_runtime import Model, OptionError, load
from codewren_runtime._ordered import AHEAD

CODES = [f"def f{i}(x):\n    return x + {i}" for i in range(20)]


@pytest.fixture
def single(wren: Callable[[str], Path]) -> Model:
    return load(wren("single"))


@pytest.fixture
def pair(wren: Callable[[str], Path]) -> Model:
    return load(str(wren("pair")), threads=2)


def test_every_public_name_is_there_and_no_other() -> None:
    assert sorted(codewren_runtime.__all__) == dir(codewren_runtime)
    assert all(hasattr(codewren_runtime, name) for name in codewren_runtime.__all__)
    assert not hasattr(codewren_runtime, "surprise")


def test_prediction_names_the_likeliest_label(single: Model) -> None:
    prediction = single.predict(CODES[0])
    assert tuple(prediction.probabilities) == single.labels == single.task.labels
    assert math.isclose(sum(prediction.probabilities.values()), 1)
    assert prediction.probability == max(prediction.probabilities.values())
    assert prediction.probabilities[prediction.label] == prediction.probability
    assert prediction.label == single.labels[int(np.argmax(single.logits(CODES[0])))]


@pytest.fixture(scope="module")
def lasting(
    tmp_path_factory: pytest.TempPathFactory,
    parts_of: Callable[[str], dict[str, bytes]],
    make: object,
) -> Model:
    entries = make.with_manifest(parts_of("single"), "single")  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("lasting")
    return load(make.write_zip(folder / "m.wren", list(entries.items())))  # type: ignore[attr-defined]


@given(st.text(st.characters(), max_size=400))
def test_any_text_has_an_answer(lasting: Model, text: str) -> None:
    prediction = lasting.predict(text)
    assert math.isclose(sum(prediction.probabilities.values()), 1)


def test_lone_surrogates_and_long_code_have_an_answer(single: Model) -> None:
    single.predict("\ud800 = 1")
    assert single.predict("x = 1\n" * 100_000) == single.predict("x = 1\n" * 1_000)


def test_extreme_logits_stay_finite(single: Model) -> None:
    prediction = single._prediction(np.array([1e30, -1e30, 0], dtype=np.float32))
    assert prediction.probability == 1
    assert prediction.label == single.labels[0]


def test_predict_many_keeps_the_order(single: Model, pair: Model) -> None:
    assert list(single.predict_many(CODES)) == [single.predict(code) for code in CODES]
    pairs = list(itertools.product(CODES[:5], CODES[:5]))
    expected = [pair.predict_pair(*codes) for codes in pairs]
    assert list(pair.predict_many(pairs)) == expected


def test_predict_many_is_lazy(single: Model) -> None:
    taken = []

    def endless() -> Iterator[str]:
        for i in itertools.count():
            taken.append(i)
            yield f"x = {i}"

    answers = single.predict_many(endless())
    assert not taken
    next(answers)
    next(answers)
    assert taken == [0, 1]


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("kind", ["single", "pair"])
def test_predict_many_answers_alike_on_any_number_of_threads(
    wren: Callable[[str], Path], kind: str, threads: int
) -> None:
    model = load(wren(kind), threads=threads)
    if kind == "single":
        texts = CODES * 5
        assert list(model.predict_many(texts)) == [model.predict(code) for code in texts]
    else:
        pairs = list(itertools.product(CODES[:6], CODES))
        expected = [model.predict_pair(*codes) for codes in pairs]
        assert list(model.predict_many(pairs)) == expected


def test_predict_many_reads_a_bounded_number_ahead(wren: Callable[[str], Path]) -> None:
    model, taken = load(wren("single"), threads=3), []

    def endless() -> Iterator[str]:
        for i in itertools.count():
            taken.append(i)
            yield f"x = {i}"

    answers = model.predict_many(endless())
    assert not taken
    for count in range(1, 20):
        next(answers)
        assert len(taken) <= count + AHEAD * 3
    answers.close()  # type: ignore[attr-defined]


def test_an_error_comes_in_its_items_place(wren: Callable[[str], Path]) -> None:
    answers = load(wren("single"), threads=2).predict_many(["a", "b", 3, "c"])  # type: ignore[list-item]
    next(answers)
    next(answers)
    with pytest.raises(TypeError, match="must be a string"):
        next(answers)


def test_predict_many_encodes_a_returning_function_once(
    pair: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = pair._encode
    monkeypatch.setattr(pair, "_encode", lambda ids: encoded.append(ids) or encode(ids))
    list(pair.predict_many(itertools.product(CODES[:4], repeat=2)))
    assert len(encoded) == 4


def test_embeddings_compare_as_texts_do(pair: Model) -> None:
    first, second = pair.embed(CODES[0]), pair.embed(CODES[1])
    assert first.shape == (pair.manifest.architecture.hidden_size,)
    assert pair.compare(first, second) == pair.predict_pair(CODES[0], CODES[1])
    assert pair.logits_pair(CODES[0], CODES[1]).shape == (len(pair.labels),)
    with pytest.raises(ValueError, match="shape"):
        pair.compare(first[:2], second)
    with pytest.raises(ValueError, match="shape"):
        pair.compare(first, second.tolist())


def test_wrong_kind_of_call_names_the_right_one(single: Model, pair: Model) -> None:
    for call in (pair.predict, pair.logits):
        with pytest.raises(OptionError, match="use predict_pair"):
            call("x")
    with pytest.raises(OptionError, match="use predict"):
        single.predict_pair("x", "y")
    with pytest.raises(OptionError, match="use predict"):
        single.embed("x")
    with pytest.raises(OptionError, match="use predict"):
        single.compare(np.zeros(8, np.float32), np.zeros(8, np.float32))


@pytest.mark.parametrize("code", [b"x = 1", None, 3, ["x"], ("x", "y")])
def test_code_must_be_a_string(single: Model, pair: Model, code: object) -> None:
    with pytest.raises(TypeError, match="must be a string"):
        single.predict(code)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be a string"):
        pair.predict_pair("x", code)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        next(single.predict_many([code]))  # type: ignore[list-item]


@pytest.mark.parametrize("item", ["ab", ("a",), ("a", "b", "c"), ["a", "b"], ("a", 1)])
def test_pairs_must_be_pairs(pair: Model, item: object) -> None:
    with pytest.raises(TypeError):
        next(pair.predict_many([item]))  # type: ignore[list-item]


def test_one_text_is_not_taken_for_many(single: Model, pair: Model) -> None:
    for model in (single, pair):
        with pytest.raises(TypeError, match="use predict"):
            model.predict_many("int a;")
    with pytest.raises(TypeError, match="not 3 in one"):
        next(pair.predict_many([("a", "b", "c")]))  # type: ignore[list-item]


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "2"])
def test_threads_must_be_positive(wren: Callable[[str], Path], threads: object) -> None:
    with pytest.raises(OptionError, match="threads"):
        load(wren("single"), threads=threads)  # type: ignore[arg-type]


def test_one_model_serves_many_threads(single: Model) -> None:
    expected = [single.predict(code) for code in CODES]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(single.predict, CODES)) == expected


def test_an_embedding_model_gives_unit_vectors_and_no_labels(wren: Callable[[str], Path]) -> None:
    model = load(wren("embedding"))
    vectors = [model.embed(code) for code in CODES]
    assert all(math.isclose(float(np.linalg.norm(vector)), 1, rel_tol=1e-5) for vector in vectors)
    assert all(vector.dtype == np.float32 for vector in vectors)
    assert float(vectors[0] @ vectors[1]) < 1
    assert np.array_equal(model.embed(CODES[0]), vectors[0])
    for ask in (
        lambda: model.predict(CODES[0]),
        lambda: model.logits(CODES[0]),
        lambda: model.predict_pair(CODES[0], CODES[1]),
        lambda: model.compare(vectors[0], vectors[1]),
        lambda: next(iter(model.predict_many(CODES))),
    ):
        with pytest.raises(OptionError, match="gives embeddings for search, no labels; use"):
            ask()


def test_other_kinds_say_what_to_call(single: Model, pair: Model) -> None:
    with pytest.raises(OptionError, match="judges one code at a time; use predict"):
        single.embed(CODES[0])
    with pytest.raises(OptionError, match="compares two codes; use predict_pair"):
        pair.predict(CODES[0])
