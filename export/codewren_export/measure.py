"""The figures of the gates, taken on the sample texts."""

from __future__ import annotations

import time
from statistics import median

import numpy as np
from numpy.typing import NDArray

from codewren_export.calibration import fit_decision, plain_decision
from codewren_export.exportable import Exportable
from codewren_export.gates import Verdict, parity_gate
from codewren_export.scoring import Graphs, Row, onnx_scorer, torch_scorer
from codewren_runtime.decision import Decision
from codewren_runtime.files import sha256_of
from codewren_runtime.model import Model
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Example

__all__ = ["decide", "latency_ms", "parity", "shipped_logits"]

PARITY_SAMPLES = 64
TIMED_SAMPLES = 50


def parity(
    exportable: Exportable, graphs: Graphs, reference: Graphs
) -> tuple[NDArray[np.float32], Verdict]:
    """Logits (samples, labels) of every sample by torch, and the gate over the first of them.

    One more row fills the window, that every position is compared.
    """
    rows = _rows(exportable)
    some = [*rows[:PARITY_SAMPLES], _full(rows[0], exportable.architecture.max_length)]
    torch_logits = torch_scorer(exportable)
    expected = torch_logits.logits(rows)
    verdict = parity_gate(
        onnx_scorer(graphs).logits(some),
        np.concatenate([expected[:PARITY_SAMPLES], torch_logits.logits(some[-1:])]),
        onnx_scorer(reference).logits(some),
    )
    return expected, verdict


def shipped_logits(model: Model, exportable: Exportable) -> NDArray[np.float32]:
    """Logits (samples, labels) of every sample by the runtime, from text."""
    one = model.logits_pair if exportable.kind == "siamese" else model.logits
    return np.stack([one(*example.texts) for example in exportable.sample_texts])


def decide(model: Model, exportable: Exportable) -> Decision:
    """Temperature and threshold of the bundle as it ships, on the labelled rows if there are any.

    `model` is the bundle's. Raises as `fit_decision` and `plain_decision` do.
    """
    if not exportable.labelled:
        return plain_decision(exportable.task, exportable.threshold)
    one = model.logits_pair if exportable.kind == "siamese" else model.logits
    logits = np.stack([one(*example.texts) for example in exportable.labelled])
    labels = np.array([example.label for example in exportable.labelled])
    source = sha256_of([[*example.texts, example.label] for example in exportable.labelled])
    return fit_decision(logits, labels, exportable.task, exportable.threshold, source)


def latency_ms(model: Model, exportable: Exportable) -> float:
    """Median milliseconds (wall) of a prediction from text to answer, after one to warm up."""
    predict = model.predict_pair if exportable.kind == "siamese" else model.predict

    def milliseconds(example: Example) -> float:
        begin = time.perf_counter()
        predict(*example.texts)
        return 1000 * (time.perf_counter() - begin)

    samples = exportable.sample_texts[:TIMED_SAMPLES]
    milliseconds(samples[0])
    return median(map(milliseconds, samples))


def _full(row: Row, length: int) -> Row:
    """The row, its tokens repeated up to `length`."""
    return tuple((list(ids) * length)[:length] for ids in row)


def _rows(exportable: Exportable) -> list[Row]:
    tokenizer = CodeTokenizer(
        exportable.tokenizer_json,
        exportable.architecture.max_length,
        exportable.task.normalisation,
    )
    return [tuple(map(tokenizer.encode, example.texts)) for example in exportable.sample_texts]
