"""Load a bundle and ask it: text in, label and probabilities out, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from codewren_runtime._ordered import in_order
from codewren_runtime._session import Session, give_back_memory
from codewren_runtime.bundle import HEAD, MODEL, Bundle, Manifest, read_bundle
from codewren_runtime.errors import BundleError, ModelError, OptionError
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Prediction, Task, TaskKind

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

__all__ = ["Model", "load"]

USES: Mapping[TaskKind, str] = {
    "single": "judges one code at a time; use predict",
    "pair": "compares two codes; use predict_pair",
    "embedding": "gives embeddings for search, no labels; use Model.embed",
}

Windows = tuple[tuple[int, ...], ...]  # token ids of each window of a text

# `predict_many` over pairs meets the same function again and again; this many embeddings
# take at most about 3 MB with their keys.
REMEMBERED = 512


def load(path: str | os.PathLike[str], *, threads: int = 1) -> Model:
    """Read a bundle, a file or a folder, and make it ready to predict.

    One text is judged on one thread; `predict_many` works on `threads` texts at a time.
    Raises BundleError in one line if the bundle is damaged, hostile or of another version,
    and OptionError if `threads` is below 1.
    """
    return Model(read_bundle(path), threads=threads)


class Model:
    """A model that is ready to predict. Thread-safe: one may serve any number of threads.

    Made by `load`. Code longer than the window (`manifest.architecture.max_length` tokens) is
    judged by its beginning or window by window, as `manifest.long_inputs` says. Whatever the
    text, time and memory of an answer are bounded; BundleError if the graph fails on it.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise OptionError(f"threads must be a positive integer, not {threads!r}")
        self.manifest: Manifest = bundle.manifest
        self.size_bytes = bundle.size_bytes
        self._path, self._threads = bundle.path, threads
        try:
            self._tokenizer = _tokenizer(bundle)
            text_output, width = (
                ("logits", len(self.labels))
                if self.task.kind == "single"
                else ("embedding", self.manifest.architecture.hidden_size)
            )
            inputs = {"input_ids": "tensor(int64)"}
            self._text = Session(MODEL, bundle.model, inputs, text_output, width)
            self._head = None if bundle.head is None else _head(bundle, len(self.labels))
            self._probe()
            give_back_memory()
        except BundleError as error:
            raise BundleError(f"{bundle.path}: {error}") from error

    @property
    def task(self) -> Task:
        """What the model answers."""
        return self.manifest.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the logits."""
        return self.task.labels

    def predict(self, code: str) -> Prediction:
        """Judge one text.

        Raises OptionError if this model does not judge single texts and TypeError if `code` is no
        string.
        """
        return self._prediction(self.logits(code))

    def predict_pair(self, code1: str, code2: str) -> Prediction:
        """Judge two texts together.

        Raises OptionError if this is no pair model and TypeError if a text is no string.
        """
        return self._prediction(self.logits_pair(code1, code2))

    def predict_many(
        self, items: Iterable[str] | Iterable[tuple[str, str]]
    ) -> Iterator[Prediction]:
        """Judge many, in order: texts, or (text, text) for a pair model.

        Lazy: reads an item when its answer is asked for, and a few more for each further thread,
        so a generator may be endless. A function that returns in a later pair is not encoded
        again while it is remembered. Raises as `predict` does, and TypeError for one text, which is
        none of many.
        """
        if isinstance(items, str):
            raise TypeError("predict_many takes many texts, not one; use predict")
        if self._head is None:
            return in_order(lambda item: self.predict(_text(item)), items, self._threads)
        remembered = _remembering(self._read)

        def judge(item: object) -> Prediction:
            first, second = (remembered(self._windows(text)) for text in _pair(item))
            return self._prediction(self._compare(first, second))

        return in_order(judge, items, self._threads)

    def logits(self, code: str) -> Array:
        """Raw scores of one text, (labels,). Raises as `predict` does."""
        self._require("single")
        return self._read(self._windows(code))

    def logits_pair(self, code1: str, code2: str) -> Array:
        """Raw scores of two texts, (labels,). Raises as `predict_pair` does."""
        self._require("pair")
        return self._compare(self.embed(code1), self.embed(code2))

    def embed(self, code: str) -> Array:
        """The embedding (hidden_size,) of one text.

        Of a pair model it is for `compare`. Of an embedding model it has unit length: the dot
        product of two says how alike their texts are. Raises OptionError if this model judges
        single texts and TypeError if `code` is no string.
        """
        if self.task.kind == "embedding":
            return _unit(self._read(self._windows(code)))
        self._require("pair")
        return self._read(self._windows(code))

    def compare(self, embedding1: Array, embedding2: Array) -> Prediction:
        """Judge two texts by what `embed` gave for them.

        Raises OptionError if this is no pair model and ValueError for another shape.
        """
        self._require("pair")
        width = self.manifest.architecture.hidden_size
        if any(getattr(e, "shape", None) != (width,) for e in (embedding1, embedding2)):
            raise ValueError(f"embeddings must have the shape ({width},), as embed gives them")
        return self._prediction(self._compare(embedding1, embedding2))

    def _require(self, kind: TaskKind) -> None:
        if self.task.kind != kind:
            raise OptionError(f"{self._path}: {USES[self.task.kind]}")

    def _windows(self, code: str) -> Windows:
        tokenizer, text = self._tokenizer, _text(code)
        if self.manifest.long_inputs == "truncate":
            return (tuple(tokenizer.encode(text)),)
        return tuple(map(tuple, tokenizer.windows(text)))

    def _read(self, windows: Windows) -> Array:
        """Logits of a single-text model, embedding of a pair model, of a text's windows."""
        answers = [self._encode(ids) for ids in windows]
        if len(answers) == 1:
            return answers[0]
        if self.manifest.long_inputs == "split-max":
            at = self.labels.index(self.manifest.decision.positive or self.labels[1])
            return max(answers, key=lambda answer: float(answer[at] - answer[1 - at]))
        tokens = [len(ids) - 2 for ids in windows]
        return np.average(answers, axis=0, weights=tokens).astype(np.float32)

    def _encode(self, ids: tuple[int, ...]) -> Array:
        """The answer for one window. Batch 1: nothing to mask."""
        return self._text.run(input_ids=np.array([ids], dtype=np.int64))

    def _compare(self, embedding1: Array, embedding2: Array) -> Array:
        assert self._head is not None
        return self._head.run(
            embedding_1=embedding1[np.newaxis].astype(np.float32, copy=False),
            embedding_2=embedding2[np.newaxis].astype(np.float32, copy=False),
        )

    def _prediction(self, logits: Array) -> Prediction:
        return self.manifest.decision.predict(logits.tolist(), self.labels)

    def _probe(self) -> None:
        """One tiny prediction: what a graph declares is not always what it answers."""
        highest = self._tokenizer.vocab_size - 1
        answer = self._encode((self._tokenizer.bos_id, highest, self._tokenizer.eos_id))
        if self._head is not None:
            self._compare(answer, answer)


def _tokenizer(bundle: Bundle) -> CodeTokenizer:
    architecture, task = bundle.manifest.architecture, bundle.manifest.task
    try:
        tokenizer = CodeTokenizer(
            bundle.tokenizer_json, architecture.max_length, task.normalisation
        )
    except ModelError as error:
        raise BundleError(f"{' '.join(str(error).split())}; export it again") from error
    if tokenizer.vocab_size > architecture.vocab_size:
        raise BundleError(
            f"tokenizer.json has {tokenizer.vocab_size:,} tokens, the model "
            f"{architecture.vocab_size:,}: export it again"
        )
    return tokenizer


def _head(bundle: Bundle, labels: int) -> Session:
    assert bundle.head is not None
    inputs = {"embedding_1": "tensor(float)", "embedding_2": "tensor(float)"}
    return Session(HEAD, bundle.head, inputs, "logits", labels)


def _remembering(read: Callable[[Windows], Array]) -> Callable[[Windows], Array]:
    """`read` with a memory; threads that want what one is at work on wait for it."""

    @lru_cache(maxsize=REMEMBERED)
    def cell(_: Windows) -> tuple[Lock, list[Array]]:
        return Lock(), []

    def once(windows: Windows) -> Array:
        lock, answer = cell(windows)
        with lock:
            if not answer:
                answer.append(read(windows))
        return answer[0]

    return once


def _unit(vector: Array) -> Array:
    """The vector at length 1; zeros stay as they are."""
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


def _text(code: object) -> str:
    if not isinstance(code, str):
        raise TypeError(f"code must be a string, not {type(code).__name__}; decode bytes first")
    return code


def _pair(item: object) -> tuple[str, str]:
    if not isinstance(item, tuple) or len(item) != 2:
        kind = f"{len(item)} in one" if isinstance(item, tuple) else type(item).__name__
        raise TypeError(f"a pair model takes (text, text) tuples, not {kind}")
    return _text(item[0]), _text(item[1])
