"""Score token ids text by text, in torch or in ONNX, by the same code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from codewren_export.exportable import Exportable
from codewren_export.reference import as_one

__all__ = ["Graphs", "Row", "Scorer", "onnx_scorer", "torch_scorer"]

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Row = tuple[Sequence[int], ...]  # token ids of the one or two texts of an example


@dataclass(frozen=True)
class Graphs:
    """The ONNX graphs of a model: of a text and, for a siamese model, of a pair."""

    text: onnx.ModelProto
    head: onnx.ModelProto | None


@dataclass(frozen=True)
class Scorer:
    """`text`: ids (n, length) to logits, or to embeddings, of which a `head` makes logits."""

    text: Callable[[Integers], Floats]
    head: Callable[[Floats, Floats], Floats] | None

    def logits(self, rows: Sequence[Row]) -> Floats:
        """Logits (rows, labels), or embeddings (rows, hidden) of an embedding model.

        Each row alone as the runtime reads it: without padding.
        """
        return np.concatenate([self._one(row) for row in rows])

    def _one(self, row: Row) -> Floats:
        answers = [self.text(np.array([ids], dtype=np.int64)) for ids in row]
        return answers[0] if self.head is None else self.head(*answers)


def torch_scorer(exportable: Exportable) -> Scorer:
    """The trained model itself, in evaluation mode."""
    model = as_one(exportable)
    output = "logits" if exportable.kind == "sequence" else "embedding"
    head = exportable.head

    def text(ids: Integers) -> Floats:
        tensor = torch.from_numpy(ids)
        with torch.no_grad():
            answer = model(input_ids=tensor, attention_mask=torch.ones_like(tensor))
        return _array(answer[output])

    def pair(first: Floats, second: Floats) -> Floats:
        assert head is not None
        with torch.no_grad():
            return _array(head.eval()(torch.from_numpy(first), torch.from_numpy(second)))

    return Scorer(text, pair if head is not None else None)


def onnx_scorer(graphs: Graphs) -> Scorer:
    """The graphs in onnxruntime; one that takes a mask is told that there is no padding."""
    text_session = _session(graphs.text)
    head_session = None if graphs.head is None else _session(graphs.head)
    masked = len(text_session.get_inputs()) > 1

    def text(ids: Integers) -> Floats:
        mask = {"attention_mask": np.ones_like(ids)} if masked else {}
        (answer,) = text_session.run(None, {"input_ids": ids} | mask)
        return np.asarray(answer, dtype=np.float32)

    def pair(first: Floats, second: Floats) -> Floats:
        assert head_session is not None
        (answer,) = head_session.run(None, {"embedding_1": first, "embedding_2": second})
        return np.asarray(answer, dtype=np.float32)

    return Scorer(text, pair if head_session is not None else None)


def _session(graph: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _array(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.numpy(), dtype=np.float32)
