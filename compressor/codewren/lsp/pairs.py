"""A bundle that compares two functions: it finds the clones among those that are open."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from codewren.lsp.engine import Finding, Job, Like, View, remarkable
from codewren.lsp.hover import pair_hover
from codewren.lsp.located import Located
from codewren.lsp.remembered import Remembered
from codewren_runtime import Bundle, Model
from codewren_runtime.errors import OptionError

__all__ = ["PairEngine"]

# Work and memory grow with the square of this: at 400, seconds for the first look and 25 MB.
MOST_FUNCTIONS = 400


class PairEngine:
    """Embeddings by the hash of a function's text, answers by the hashes of two."""

    joint = True

    def __init__(self, bundle: Bundle) -> None:
        self.model = Model(bundle)
        self._embeddings: Remembered[bytes, NDArray[np.float32]] = Remembered(4 * MOST_FUNCTIONS)
        self._answers: Remembered[tuple[bytes, bytes], tuple[str, float]] = Remembered(
            MOST_FUNCTIONS**2
        )

    def jobs(self, view: View) -> Iterator[Job]:
        """An embedding of each function that is new, then each one's comparison with all others.

        Raises OptionError if too many functions are open.
        """
        everywhere = [f for functions in view.everywhere.values() for f in functions]
        if len(everywhere) > MOST_FUNCTIONS:
            raise OptionError(
                f"{len(everywhere):,} functions are open; clones are looked for among at most "
                f"{MOST_FUNCTIONS}: close some files"
            )
        for function in everywhere:
            if self._embeddings.get(function.key) is None:
                yield partial(self._embedding, function)
        for function in view.functions:
            yield partial(self._compare, view, function)

    def findings(self, view: View) -> list[Finding]:
        """The functions to which another is alike with at least this probability."""
        found = []
        for function in view.functions:
            like = [o for o in self._like(view, function) if o.probability >= view.threshold]
            if like:
                rule = f"{self.model.task.name}/{like[0].label}"
                found.append(
                    Finding(function, rule, like[0].label, like[0].probability, tuple(like))
                )
        return found

    def explain(self, view: View, function: Located) -> str:
        """The functions that it is most like."""
        self._compare(view, function)
        return pair_hover(self._like(view, function), view.threshold)

    def _compare(self, view: View, function: Located) -> None:
        for _, other in view.others(function):
            keys = _pair(function, other)
            if self._answers.get(keys) is None:
                prediction = self.model.compare(self._embedding(function), self._embedding(other))
                self._answers.put(keys, remarkable(self.model, prediction))

    def _like(self, view: View, function: Located) -> list[Like]:
        """The others that it was compared with, the likest first."""
        likes = []
        for uri, other in view.others(function):
            answer = self._answers.get(_pair(function, other))
            if answer is not None:
                likes.append(Like(uri, other, *answer))
        return sorted(likes, key=lambda like: -like.probability)

    def _embedding(self, function: Located) -> NDArray[np.float32]:
        embedding = self._embeddings.get(function.key)
        if embedding is None:
            embedding = self.model.embed(function.text)
            self._embeddings.put(function.key, embedding)
        return embedding


def _pair(function: Located, other: Located) -> tuple[bytes, bytes]:
    return min(function.key, other.key), max(function.key, other.key)
