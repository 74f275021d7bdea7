"""A bundle's answers to texts, remembered."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codewren.scan.cache import NoCache
from codewren.target import require_labels
from codewren_runtime.files import sha256_of

if TYPE_CHECKING:
    from codewren_runtime import Bundle, Model

__all__ = ["Answers", "Array"]

Array = NDArray[np.float64] | NDArray[np.float32]

# What an answer depends on beside the bundle and the text, and what finds functions.
_ENGINES = ("codewren", "onnxruntime", "tokenizers")
_GRAMMARS = (
    "tree-sitter", "tree-sitter-c", "tree-sitter-cpp", "tree-sitter-go", "tree-sitter-java",
    "tree-sitter-javascript", "tree-sitter-python", "tree-sitter-rust", "tree-sitter-typescript",
)  # fmt: skip


class Answers:
    """What a bundle says of a text, as an array: probabilities by label, or an embedding.

    `width` is the length of that array and `dtype` its type: float64 probabilities (labels,) of
    a single-text model, the float32 embedding (hidden_size,) of a pair model. Thread-safe. The
    model is opened when it is first asked what the cache does not know. Raises OptionError for a
    bundle of embeddings.
    """

    def __init__(self, bundle: Bundle, cache: NoCache) -> None:
        self.bundle, self.cache = bundle, cache
        self.task = bundle.manifest.task
        require_labels(self.task, bundle.path)
        self.is_pair = self.task.kind == "pair"
        self.width = (
            bundle.manifest.architecture.hidden_size if self.is_pair else len(self.task.labels)
        )
        self.dtype = np.dtype("<f4" if self.is_pair else "<f8")
        made_by = {name: _version(name) for name in (*_ENGINES, *_GRAMMARS)}
        salt = sha256_of({"bundle": bundle.manifest.to_json(), "made by": made_by})
        self._salt = bytes.fromhex(salt)
        self._opened: Model | None = None
        self._lock = Lock()

    @property
    def model(self) -> Model:
        """The bundle's model; raises BundleError in one line if it cannot be opened."""
        with self._lock:
            if self._opened is None:
                from codewren_runtime import Model

                self._opened = Model(self.bundle)
            return self._opened

    def key(self, kind: str, data: bytes) -> bytes:
        """Where the cache keeps what this bundle says of `data`."""
        return hashlib.sha256(self._salt + kind.encode() + b"\0" + data).digest()

    def __call__(self, text: str) -> Array:
        """The answer (width,) for one text."""
        key = self.key("text", text.encode("utf-8", "surrogatepass"))
        stored = self.cache.get(key)
        if stored is not None and len(stored) == self.width * self.dtype.itemsize:
            return np.frombuffer(stored, self.dtype)
        answer = self._ask(text)
        self.cache.put(key, answer.tobytes())
        return answer

    def _ask(self, text: str) -> Array:
        if self.is_pair:
            return self.model.embed(text).astype(self.dtype)
        probabilities = self.model.predict(text).probabilities
        return np.array([probabilities[label] for label in self.task.labels], self.dtype)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:  # run from a source tree
        return None
