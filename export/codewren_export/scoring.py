"""Score token ids in padded batches, in torch or in ONNX, by the same code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from codewren_export.exportable import Exportable
from codewren_export.graph import PooledEncoder

__all__ = ["Graphs", "Row", "Scorer", "onnx_scorer", "torch_scorer"]

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Row = tuple[Sequence[int], ...]  # token ids of the one or two texts of an example

PAD_ID = 1


@dataclass(frozen=True)
class Graphs:
    """The ONNX graphs of a model: of a text and, for a siamese model, of a pair."""

    text: onnx.ModelProto
    head: onnx.ModelProto | None


@dataclass(frozen=True)
class Scorer:
    """`text`: ids and mask (n, length) to logits, or to embeddings if there is a `head`."""

    text: Callable[[Integers, Integers], Floats]
    head: Callable[[Floats, Floats], Floats] | None

    def logits(self, rows: Sequence[Row], batch_size: int) -> Floats:
        """Logits (rows, labels); each batch is padded to its longest text."""
        batches = [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
        return np.concatenate([self._batch(batch) for batch in batches])

    def _batch(self, rows: Sequence[Row]) -> Floats:
        answers = [self.text(*_pad(ids)) for ids in zip(*rows, strict=True)]
        return answers[0] if self.head is None else self.head(*answers)


def torch_scorer(exportable: Exportable) -> Scorer:
    """The trained model itself, in evaluation mode."""
    siamese = exportable.kind == "siamese"
    model = (PooledEncoder(exportable.model) if siamese else exportable.model).eval()
    output = "embedding" if siamese else "logits"
    head = exportable.head

    def text(ids: Integers, mask: Integers) -> Floats:
        with torch.no_grad():
            answer = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return _array(answer[output])

    def pair(first: Floats, second: Floats) -> Floats:
        assert head is not None
        with torch.no_grad():
            return _array(head.eval()(torch.from_numpy(first), torch.from_numpy(second)))

    return Scorer(text, pair if head is not None else None)


def onnx_scorer(graphs: Graphs) -> Scorer:
    """The graphs in onnxruntime, without the runtime package: it takes batches of one only."""
    text_session = _session(graphs.text)
    head_session = None if graphs.head is None else _session(graphs.head)

    def text(ids: Integers, mask: Integers) -> Floats:
        (answer,) = text_session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(answer, dtype=np.float32)

    def pair(first: Floats, second: Floats) -> Floats:
        assert head_session is not None
        (answer,) = head_session.run(None, {"embedding_1": first, "embedding_2": second})
        return np.asarray(answer, dtype=np.float32)

    return Scorer(text, pair if head_session is not None else None)


def _session(graph: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _pad(texts: Sequence[Sequence[int]]) -> tuple[Integers, Integers]:
    ids = np.full((len(texts), max(map(len, texts))), PAD_ID, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return ids, mask


def _array(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.numpy(), dtype=np.float32)
