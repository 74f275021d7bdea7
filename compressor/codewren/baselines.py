"""The sceptics' models: what a compressed network has to beat to be worth its bytes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codewren_runtime.errors import DataError, MissingExtraError
from codewren_runtime.metrics import Scores, score
from codewren_runtime.types import Example, TaskKind

__all__ = ["Baseline", "Tfidf", "majority", "tfidf_linear", "tfidf_vectors"]

TIMED = 100  # examples timed one by one
WARM_UP = 3

# Distinct 3- and 4-grams run to millions: hashing bounds their memory, halves the time, and
# on Devign scores no less than the vocabulary. Tokens are few enough for a vocabulary, and
# collisions would cost pairs a point on BigCloneBench.
COLUMNS = 1 << 16
MAX_TOKENS = 20_000
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")  # of snake_case and CamelCase alike
TOKEN = r"\w+|[^\w\s]"

FloatArray = NDArray[np.float32]
Matrix = Any  # scipy's sparse matrices have no types


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A trained baseline on the test examples.

    `bytes` is what a file of it would hold: the vocabulary of pairs in UTF-8 with separators
    (single texts are hashed and have none), and in float32 the inverse document frequencies,
    coefficients and intercepts; 0 for majority.
    `latency_ms` is the median of one prediction at a time, over up to 100 test examples.
    `probabilities` is (test examples, labels).
    """

    name: str
    scores: Scores
    bytes: int
    latency_ms: float
    probabilities: FloatArray


def majority(
    train: Sequence[Example], test: Sequence[Example], *, num_labels: int | None = None
) -> Baseline:
    """Always the label that is most frequent in `train` (the first of equals).

    `num_labels` defaults to the highest label index plus one, at least 2. Raises DataError
    if there are no examples or one has no label.
    """
    y, truth = _labels(train, "training"), _labels(test, "test")
    count = _num_labels(num_labels, y, truth)
    shares = (np.bincount(y, minlength=count) / len(y)).astype(np.float32)
    probabilities = np.tile(shares, (len(truth), 1))
    return Baseline("majority", score(probabilities, truth), 0, 0.0, probabilities)


def tfidf_linear(
    train: Sequence[Example],
    test: Sequence[Example],
    kind: TaskKind,
    seed: int,
    *,
    num_labels: int | None = None,
) -> Baseline:
    """Logistic regression on TF-IDF of the raw texts.

    Single texts: 3- and 4-grams of characters, hashed to 65,536 columns. Pairs: the 20,000
    most frequent 1- and 2-grams of tokens, as |u - v| and u * v of the two texts' u and v,
    hence the same both ways round. The same data and seed give the same scores.
    `num_labels` as in `majority`. Raises MissingExtraError without scikit-learn, DataError
    for examples without label or second text, or a single label in `train`.
    """
    y, truth = _labels(train, "training"), _labels(test, "test")
    count = _num_labels(num_labels, y, truth)
    if len(set(y.tolist())) < 2:
        raise DataError(
            "training rows all have one label: the linear baseline needs two — add rows"
        )
    vectorizer, model = _new_parts(kind, len(set(y.tolist())), seed)
    texts = list(dict.fromkeys(text for example in train for text in _texts(example, kind)))
    vectorizer.fit(texts)
    features = _pairs if kind == "pair" else _singles
    model.fit(features(vectorizer, train), y)

    def predict(examples: Sequence[Example]) -> FloatArray:
        known = model.predict_proba(features(vectorizer, examples))
        probabilities = np.zeros((len(examples), count), dtype=np.float32)
        probabilities[:, model.classes_] = known  # a label without training rows has none
        return probabilities

    probabilities = predict(test)
    return Baseline(
        "TF-IDF linear",
        score(probabilities, truth),
        _size(vectorizer, model),
        _p50(predict, test),
        probabilities,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Tfidf:
    """A fitted vectorizer; `bytes` is what a file of it would hold, as `Baseline.bytes`."""

    vectorizer: Any
    bytes: int

    def transform(self, texts: Sequence[str]) -> Matrix:
        """Sparse rows (texts, terms) of unit length."""
        return self.vectorizer.transform(texts)


def tfidf_vectors(texts: Iterable[str]) -> Tfidf:
    """TF-IDF over the words that identifiers and prose are made of, for search by cosine.

    Raises MissingExtraError without scikit-learn.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError as error:
        raise MissingExtraError("distill", "scikit-learn") from error
    vectorizer = TfidfVectorizer(analyzer=_words, sublinear_tf=True, dtype=np.float32)
    vectorizer.fit(texts)
    terms = sum(len(term.encode()) + 1 for term in vectorizer.vocabulary_)
    return Tfidf(vectorizer, terms + 4 * len(vectorizer.vocabulary_))


def _words(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(text)]


def _new_parts(kind: TaskKind, labels: int, seed: int) -> tuple[Any, Any]:
    """An untrained vectorizer and model."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier
    except ImportError as error:
        raise MissingExtraError("distill", "scikit-learn") from error
    # liblinear converges in seconds on sparse rows where lbfgs runs into its iteration limit.
    model = LogisticRegression(solver="liblinear", max_iter=1000, random_state=seed)
    vectorizer = _characters() if kind == "single" else _tokens()
    return vectorizer, model if labels == 2 else OneVsRestClassifier(model)


def _characters() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.pipeline import make_pipeline

    counts = HashingVectorizer(
        analyzer="char",
        ngram_range=(3, 4),
        lowercase=False,
        n_features=COLUMNS,
        norm=None,
        alternate_sign=False,
        dtype=np.float32,
    )
    return make_pipeline(counts, TfidfTransformer(sublinear_tf=True))


def _tokens() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        token_pattern=TOKEN,
        ngram_range=(1, 2),
        lowercase=False,
        max_features=MAX_TOKENS,
        sublinear_tf=True,
        dtype=np.float32,
    )


def _singles(vectorizer: Any, examples: Sequence[Example]) -> Matrix:
    return vectorizer.transform([example.text for example in examples])


def _pairs(vectorizer: Any, examples: Sequence[Example]) -> Matrix:
    """|u - v| beside u * v; each distinct text is cut once, as pairs share texts."""
    from scipy.sparse import hstack

    sides = [_texts(example, "pair") for example in examples]
    place = {text: at for at, text in enumerate(dict.fromkeys(t for side in sides for t in side))}
    matrix = vectorizer.transform(list(place))
    u, v = (matrix[[place[side[at]] for side in sides]] for at in (0, 1))
    return hstack([abs(u - v), u.multiply(v)], format="csr")


def _texts(example: Example, kind: TaskKind) -> tuple[str, ...]:
    if (kind == "pair") != (example.text2 is not None):
        raise DataError(
            f"a {kind} task, but an example has {len(example.texts)} text(s) — check the fields"
        )
    return example.texts


def _labels(examples: Sequence[Example], name: str) -> NDArray[np.int64]:
    if not examples:
        raise DataError(f"baselines need {name} examples: there are none — add rows")
    labels = [example.label for example in examples if example.label is not None]
    if len(labels) < len(examples):
        raise DataError(
            f"baselines need a label on each {name} example, "
            f"{len(examples) - len(labels):,} have none — name the field with --label"
        )
    return np.asarray(labels, dtype=np.int64)


def _num_labels(given: int | None, *labels: NDArray[np.int64]) -> int:
    return given if given is not None else max(2, *(int(part.max()) + 1 for part in labels))


def _size(vectorizer: Any, model: Any) -> int:
    vocabulary = getattr(vectorizer, "vocabulary_", ())
    terms = sum(len(term.encode()) + 1 for term in vocabulary)
    parts = getattr(model, "estimators_", [model])
    numbers = len(vocabulary) or COLUMNS
    numbers += sum(part.coef_.size + part.intercept_.size for part in parts)
    return int(terms + np.dtype(np.float32).itemsize * numbers)


def _p50(predict: Callable[[Sequence[Example]], object], examples: Sequence[Example]) -> float:
    """Median milliseconds of one prediction, after a few to warm up."""
    chosen = examples[:: max(1, len(examples) // TIMED)][:TIMED]
    for example in chosen[:WARM_UP]:
        predict([example])
    times = []
    for example in chosen:
        begin = time.perf_counter()
        predict([example])
        times.append(time.perf_counter() - begin)
    return median(times) * 1000
