"""The whole way from a trained model to a bundle that passed its gates."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codewren_export.exportable import Exportable
from codewren_export.families import read_encoder
from codewren_export.gates import (
    MIN_AGREEMENT,
    Logits,
    Verdict,
    agreement_gate,
    probability_change,
    size_gate,
)
from codewren_export.graph import text_graph
from codewren_export.measure import decide, latency_ms, parity, shipped_logits
from codewren_export.pack import file_infos, pack
from codewren_export.quiet import quiet
from codewren_export.reference import head_graph, reference_graph
from codewren_export.scoring import Graphs
from codewren_export.weights import store_weights
from codewren_runtime.bundle import HEAD, MODEL, TOKENIZER, Bundle, Manifest
from codewren_runtime.errors import GateError, ModelError, OptionError
from codewren_runtime.files import write_bytes
from codewren_runtime.model import Model, load

__all__ = ["STAGES", "ExportReport", "export_bundle"]

BITS = (8, 16, 32)
STAGES = ("graph", "reference", "weights", "parity", "agreement", "latency")


@dataclass(frozen=True)
class ExportReport:
    """What the export measured; plain JSON values but for `gates`, whose items are dataclasses.

    Sizes are bytes: `size_bytes` of the file, `parts` of each entry, `fp32_bytes` what the
    entries would take unrounded. `parity` is the largest logit difference of the fp32 graph to
    torch and to optimum's graph; `agreement` the share of `samples` that keep torch's label in
    the bundle; `latency_ms` the median wall time of a whole prediction (a pair: both texts) from
    text to answer, one thread, on this machine.
    """

    bits: int
    size_bytes: int
    size_budget: int | None
    parts: dict[str, int]
    fp32_bytes: int
    samples: int
    parity: float
    agreement: float
    probability_change: float
    latency_ms: float
    decision: dict[str, Any]
    gates: tuple[Verdict, ...]


def export_bundle(
    exportable: Exportable,
    out: Path,
    *,
    bits: int = 8,
    size_budget: int | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> ExportReport:
    """Write the bundle `out`, with weights of 8, 16 or 32 bits, once it passed every gate.

    `size_budget` is in bytes of the whole file. `on_stage` is called as each of `STAGES`
    ends. Raises GateError in one line if a gate fails: the bundle is then at `out` with
    `.failed` added, for inspection, and whatever was at `out` stays. Raises OptionError for
    other bits or a place that cannot be written, ModelError for weights that are not finite.
    The same input gives the same bytes.
    """
    if bits not in BITS:
        raise OptionError(f"export: bits must be 8, 16 or 32, not {bits}")
    if out.is_dir():
        raise OptionError(f"{out}: is a folder; give the name of the file to write")
    _require_finite(exportable)
    graphs, reference = _fp32_graphs(exportable, on_stage)
    parts = _parts(exportable, graphs, bits)
    on_stage("weights")
    expected, parity_verdict = parity(exportable, graphs, reference)
    on_stage("parity")
    data, agreement, change = _checked(exportable, out, parts, bits, expected)
    on_stage("agreement")
    gates = (parity_verdict, agreement, size_gate(len(data), size_budget))
    _write(out, data, gates)
    model = load(out)
    latency = latency_ms(model, exportable)
    on_stage("latency")
    return ExportReport(
        bits=bits,
        size_bytes=len(data),
        size_budget=size_budget,
        parts={name: len(part) for name, part in sorted(parts.items())},
        fp32_bytes=sum(map(len, _parts(exportable, graphs, 32).values())),
        samples=len(exportable.sample_texts),
        parity=parity_verdict.figure,
        agreement=agreement.figure,
        probability_change=change,
        latency_ms=latency,
        decision=model.manifest.decision.to_json(),
        gates=gates,
    )


def _checked(
    exportable: Exportable,
    out: Path,
    parts: dict[str, bytes],
    bits: int,
    expected: Logits,
) -> tuple[bytes, Verdict, float]:
    """The bundle's bytes, its agreement, and the largest change of a probability."""
    manifest = Manifest(
        exportable.task,
        exportable.architecture,
        file_infos(parts),
        quantisation=_quantisation(bits),
        provenance=exportable.provenance,
    )
    shipped = shipped_logits(Model(_in_memory(out, manifest, parts)), exportable)
    agreement = agreement_gate(expected, shipped)
    change = probability_change(expected, shipped)
    manifest = replace(
        manifest,
        metrics=_metrics(agreement, len(shipped), change),
        long_inputs=exportable.long_inputs,
    )
    decision = decide(Model(_in_memory(out, manifest, parts)), exportable)
    manifest = replace(manifest, decision=decision)
    return pack(manifest.to_json(), parts), agreement, change


def _require_finite(exportable: Exportable) -> None:
    for module in filter(None, (exportable.model, exportable.head)):
        for name, parameter in module.named_parameters():
            if not parameter.isfinite().all():
                raise ModelError(
                    f"export: {name} is not finite: its training diverged; train it again, "
                    "with a lower learning rate"
                )


def _fp32_graphs(exportable: Exportable, on_stage: Callable[[str], None]) -> tuple[Graphs, Graphs]:
    """What ships, unrounded, and what it is compared with."""
    text, head = text_graph(read_encoder(exportable)), None
    on_stage("graph")
    with quiet(), tempfile.TemporaryDirectory(prefix="codewren-export-") as name:
        scratch = Path(name)
        if exportable.head is not None:
            head = head_graph(exportable.head, exportable.architecture.hidden_size, scratch)
        reference = reference_graph(exportable, scratch)
    on_stage("reference")
    return Graphs(text, head), Graphs(reference, head)


def _parts(exportable: Exportable, graphs: Graphs, bits: int) -> dict[str, bytes]:
    parts = {
        MODEL: store_weights(graphs.text, bits).SerializeToString(deterministic=True),
        TOKENIZER: exportable.tokenizer_json.encode(),
    }
    if graphs.head is not None:
        parts[HEAD] = store_weights(graphs.head, bits).SerializeToString(deterministic=True)
    return parts


def _in_memory(out: Path, manifest: Manifest, parts: dict[str, bytes]) -> Bundle:
    size = sum(map(len, parts.values()))
    tokenizer_json = parts[TOKENIZER].decode()
    return Bundle(out, manifest, parts[MODEL], tokenizer_json, parts.get(HEAD), size)


def _quantisation(bits: int) -> dict[str, Any]:
    scale = {8: "per output, per row of an embedding", 16: "none", 32: "none"}[bits]
    return {
        "weight_bits": bits,
        "scale": scale,
        "arithmetic": "fp32",
    }


def _metrics(agreement: Verdict, samples: int, change: float) -> dict[str, Any]:
    """For the manifest: only what is the same each time, hence rounded, and no latency."""
    return {
        "samples": samples,
        "agreement": round(agreement.figure, 4),
        "agreement_required": MIN_AGREEMENT,
        "largest_probability_change": round(change, 3),
    }


def _write(out: Path, data: bytes, gates: tuple[Verdict, ...]) -> None:
    failures = [verdict for verdict in gates if not verdict.passed]
    failed = out.with_name(f"{out.name}.failed")
    target = failed if failures else out
    try:
        write_bytes(target, data)
        if not failures:
            failed.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(f"{target}: cannot be written ({error.strerror})") from error
    if failures:
        lines = "; ".join(f"{verdict.gate}: {verdict.line}" for verdict in failures)
        raise GateError(f"{out}: not written, {lines}; the failed bundle is {failed.name}")
