"""One precision tried: the bundle's bytes, the model that they make, and how it agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codewren_export.exportable import Exportable
from codewren_export.gates import (
    MIN_AGREEMENT,
    MIN_COSINE,
    Logits,
    Verdict,
    agreement_gate,
    cosine_gate,
    probability_change,
)
from codewren_export.measure import decide, shipped_logits
from codewren_export.pack import file_infos, pack
from codewren_export.quantise import ARITHMETIC, WEIGHT_BITS, Quant, quantise
from codewren_export.scoring import Graphs, Row
from codewren_export.weights import store_weights
from codewren_runtime.bundle import HEAD, MODEL, TOKENIZER, Bundle, Manifest
from codewren_runtime.decision import Decision
from codewren_runtime.model import Model

__all__ = ["Trial", "make_parts", "try_quant"]


@dataclass(frozen=True)
class Trial:
    """`logits` are the model's own, (samples, labels), on the sample texts.

    Of an embedding model they are embeddings, and `agreement` is of their cosines.
    """

    quant: Quant
    parts: dict[str, bytes]
    data: bytes
    model: Model
    logits: Logits
    agreement: Verdict
    probability_change: float | None
    decision: Decision


def try_quant(
    exportable: Exportable,
    out: Path,
    graphs: Graphs,
    rows: Sequence[Row],
    expected: Logits,
    quant: Quant,
) -> Trial:
    """The bundle in that precision, through the runtime; `expected` are torch's logits."""
    parts = make_parts(exportable, graphs, rows, quant)
    manifest = Manifest(
        exportable.task,
        exportable.architecture,
        file_infos(parts),
        quantisation=_quantisation(quant),
        provenance=exportable.provenance,
    )
    model = Model(_in_memory(out, manifest, parts))
    logits = shipped_logits(model, exportable)
    embedding = exportable.kind == "embedding"
    agreement = (cosine_gate if embedding else agreement_gate)(expected, logits)
    change = None if embedding else probability_change(expected, logits)
    manifest = replace(
        manifest,
        metrics=_metrics(agreement, len(logits), change),
        long_inputs=exportable.long_inputs,
    )
    decision = decide(Model(_in_memory(out, manifest, parts)), exportable)
    data = pack(replace(manifest, decision=decision).to_json(), parts)
    return Trial(quant, parts, data, model, logits, agreement, change, decision)


def make_parts(
    exportable: Exportable, graphs: Graphs, rows: Sequence[Row], quant: Quant
) -> dict[str, bytes]:
    """The entries beside the manifest; `rows` are the sample texts' token ids."""
    texts = [ids for row in rows for ids in row]
    parts = {
        MODEL: quantise(graphs.text, quant, texts).SerializeToString(deterministic=True),
        TOKENIZER: exportable.tokenizer_json.encode(),
    }
    if graphs.head is not None:
        head = store_weights(graphs.head, WEIGHT_BITS[quant])
        parts[HEAD] = head.SerializeToString(deterministic=True)
    return parts


def _in_memory(out: Path, manifest: Manifest, parts: dict[str, bytes]) -> Bundle:
    size = sum(map(len, parts.values()))
    tokenizer_json = parts[TOKENIZER].decode()
    return Bundle(out, manifest, parts[MODEL], tokenizer_json, parts.get(HEAD), size)


def _quantisation(quant: Quant) -> dict[str, Any]:
    return {
        "quant": quant,
        "weight_bits": WEIGHT_BITS[quant],
        "arithmetic": ARITHMETIC.get(quant, "fp32"),
    }


def _metrics(agreement: Verdict, samples: int, change: float | None) -> dict[str, Any]:
    """For the manifest: only what is the same each time, hence rounded, and no latency."""
    if change is None:
        middle = round(agreement.figure, 4)
        return {"samples": samples, "median_cosine": middle, "median_cosine_required": MIN_COSINE}
    return {
        "samples": samples,
        "agreement": round(agreement.figure, 4),
        "agreement_required": MIN_AGREEMENT,
        "largest_probability_change": round(change, 3),
    }
