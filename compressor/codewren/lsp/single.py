"""A bundle that judges one function at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from codewren.lsp.engine import Finding, Job, View, remarkable
from codewren.lsp.hover import single_hover
from codewren.lsp.located import Located
from codewren.lsp.remembered import Remembered
from codewren.occlusion import Explanation, explain, within_window
from codewren_runtime import Bundle, Model, Prediction

__all__ = ["SingleEngine"]

MOST_PREDICTIONS = 20_000  # some 10 MB
MOST_EXPLANATIONS = 100


class SingleEngine:
    """Predictions by the hash of a function's text."""

    joint = False

    def __init__(self, bundle: Bundle) -> None:
        self.model = Model(bundle)
        self._fits = within_window(bundle)
        self._predictions: Remembered[bytes, Prediction] = Remembered(MOST_PREDICTIONS)
        self._explanations: Remembered[bytes, Explanation] = Remembered(MOST_EXPLANATIONS)

    def jobs(self, view: View) -> Iterator[Job]:
        """A prediction for each function whose text is new."""
        for function in view.functions:
            if self._predictions.get(function.key) is None:
                yield partial(self._predict, function)

    def findings(self, view: View) -> list[Finding]:
        """The functions whose likeliest label but the first has at least this probability."""
        found = []
        for function in view.functions:
            prediction = self._predictions.get(function.key)
            if prediction is not None:
                label, probability = remarkable(self.model, prediction)
                if probability >= view.threshold:
                    rule = f"{self.model.task.name}/{label}"
                    found.append(Finding(function, rule, label, probability))
        return found

    def explain(self, view: View, function: Located) -> str:
        """Probabilities, and the lines that mattered most."""
        prediction = self._predict(function)
        label, _ = remarkable(self.model, prediction)
        explanation = self._explanations.get(function.key)
        if explanation is None:
            explanation = explain(
                function.text,
                lambda text: self.model.predict(text).probabilities[label],
                self._fits,
            )
            self._explanations.put(function.key, explanation)
        return single_hover(prediction, view.threshold, label, explanation, function.start[0] + 1)

    def _predict(self, function: Located) -> Prediction:
        prediction = self._predictions.get(function.key)
        if prediction is None:
            prediction = self.model.predict(function.text)
            self._predictions.put(function.key, prediction)
        return prediction
