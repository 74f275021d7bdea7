"""The figures of the gates, taken on the sample texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

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

__all__ = ["Latency", "decide", "latencies", "parity", "shipped_logits", "token_ids"]

PARITY_SAMPLES = 64
TIMED_SAMPLES = 50
REPEATS = 3

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile over texts, milliseconds of CPU time."""

    p50_ms: float
    p95_ms: float


def parity(
    exportable: Exportable, rows: Sequence[Row], graphs: Graphs, reference: Graphs
) -> tuple[NDArray[np.float32], Verdict]:
    """Logits (samples, labels) of every row by torch, and the gate over the first of them.

    One more row fills the window, that every position is compared.
    """
    some = [*rows[:PARITY_SAMPLES], _full(rows[0], exportable.architecture.max_length)]
    torch_logits = torch_scorer(exportable)
    expected = torch_logits.logits(rows)
    verdict = parity_gate(
        onnx_scorer(graphs).logits(some),
        np.concatenate([expected[:PARITY_SAMPLES], torch_logits.logits(some[-1:])]),
        onnx_scorer(reference).logits(some),
    )
    return expected, verdict


def decide(model: Model, exportable: Exportable) -> Decision:
    """Temperature and threshold of the bundle as it ships, on the labelled rows if there are any.

    `model` is the bundle's. Raises as `fit_decision` and `plain_decision` do.
    """
    if not exportable.labelled:
        return plain_decision(exportable.task, exportable.threshold)
    one = _asked(model)
    logits = np.stack([one(*example.texts) for example in exportable.labelled])
    labels = np.array([example.label for example in exportable.labelled])
    source = sha256_of([[*example.texts, example.label] for example in exportable.labelled])
    return fit_decision(logits, labels, exportable.task, exportable.threshold, source)


def token_ids(exportable: Exportable) -> list[Row]:
    """What the model reads of each sample text."""
    tokenizer = CodeTokenizer(
        exportable.tokenizer_json,
        exportable.architecture.max_length,
        exportable.task.normalisation,
    )
    return [tuple(map(tokenizer.encode, example.texts)) for example in exportable.sample_texts]


def shipped_logits(model: Model, exportable: Exportable) -> NDArray[np.float32]:
    """Logits (samples, labels), or embeddings, of every sample by the runtime, from text."""
    one = _asked(model)
    return np.stack([one(*example.texts) for example in exportable.sample_texts])


def latencies(models: Mapping[Name, Model], exportable: Exportable) -> dict[Name, Latency]:
    """Each model's time from text to answer.

    The models take turns on each text, and the best of a few times counts: what else the
    machine does only ever adds, and to all alike.
    """
    samples = exportable.sample_texts[:TIMED_SAMPLES]
    best = {name: np.full(len(samples), np.inf) for name in models}
    ask = {name: _asked(model) for name, model in models.items()}
    for _ in range(REPEATS):
        for row, example in enumerate(samples):
            for name in models:
                begin = time.process_time()
                ask[name](*example.texts)
                spent = 1000 * (time.process_time() - begin)
                best[name][row] = min(best[name][row], spent)
    return {
        name: Latency(float(np.median(times)), float(np.percentile(times, 95)))
        for name, times in best.items()
    }


def _asked(model: Model) -> Callable[..., NDArray[np.float32]]:
    """How a model is asked for its plain answer to the texts of a row."""
    if model.task.kind == "pair":
        return model.logits_pair
    return model.logits if model.task.kind == "single" else model.embed


def _full(row: Row, length: int) -> Row:
    """The row, its tokens repeated up to `length`."""
    return tuple((list(ids) * length)[:length] for ids in row)
