"""The whole way from a trained model to a bundle that passed its gates."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from codewren_export.exportable import Exportable
from codewren_export.families import read_encoder
from codewren_export.gates import Verdict, accuracy_change, size_gate
from codewren_export.graph import text_graph
from codewren_export.measure import Latency, latencies, parity, token_ids
from codewren_export.quantise import QUANTS, Quant
from codewren_export.quiet import quiet
from codewren_export.reference import head_graph, reference_graph
from codewren_export.scoring import Graphs
from codewren_export.trial import Trial, make_parts, try_quant
from codewren_runtime.errors import BundleError, GateError, ModelError, OptionError
from codewren_runtime.files import write_bytes
from codewren_runtime.model import load

__all__ = ["AUTO", "STAGES", "ExportReport", "export_bundle"]

AUTO: Literal["auto"] = "auto"
STAGES = ("graph", "reference", "parity", "weights", "latency")
# Precisions whose median is within this share of the fastest count as equally fast.
SAME_SPEED = 0.03


@dataclass(frozen=True)
class ExportReport:
    """What the export measured; plain JSON values but for `gates`, whose items are dataclasses.

    Sizes are bytes: `size_bytes` of the file, `parts` of each entry, `fp32_bytes` what the
    entries would take unrounded. `parity` is the largest logit difference of the fp32 graph to
    torch and to optimum's graph; `agreement` the share of `samples` that keep torch's label in
    the bundle, or the median cosine of its embeddings with torch's; `accuracy_change` the bundle's
    accuracy on them less torch's, None without labels; `probability_change` None for embeddings.
    `latency` is of a whole prediction (a pair: both texts) from text to answer, CPU time of one
    thread on this machine. `decision` is the bundle's.
    `trials` holds a row for each precision that was tried.
    """

    quant: Quant
    size_bytes: int
    size_budget: int | None
    parts: dict[str, int]
    fp32_bytes: int
    samples: int
    parity: float
    agreement: float
    accuracy_change: float | None
    probability_change: float | None
    latency: Latency
    decision: dict[str, Any]
    gates: tuple[Verdict, ...]
    trials: tuple[dict[str, Any], ...]


def export_bundle(
    exportable: Exportable,
    out: Path,
    *,
    quant: Quant | Literal["auto"] = "int8",
    size_budget: int | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> ExportReport:
    """Write the bundle `out` in a precision of `QUANTS`, once it passed every gate.

    `auto` tries all of them and takes the fastest on this CPU that passes; of equally fast ones
    the smallest. `size_budget` is in bytes of the whole file. `on_stage` is called as each of
    `STAGES` ends. Raises GateError in one line if a gate fails: the bundle is then at `out` with
    `.failed` added, for inspection, and whatever was at `out` stays. Raises OptionError for
    another precision or a place that cannot be written, ModelError for weights that are not
    finite. The same input gives the same bytes, but that another CPU may choose otherwise.
    """
    if quant not in (*QUANTS, AUTO):
        raise OptionError(f"export: quant must be {AUTO}, {', '.join(QUANTS)}; not {quant!r}")
    if out.is_dir():
        raise OptionError(f"{out}: is a folder; give the name of the file to write")
    _require_finite(exportable)
    graphs, reference = _fp32_graphs(exportable, on_stage)
    rows = token_ids(exportable)
    expected, parity_verdict = parity(exportable, rows, graphs, reference)
    on_stage("parity")
    wanted = QUANTS if quant == AUTO else (quant,)
    trials = [try_quant(exportable, out, graphs, rows, expected, name) for name in wanted]
    on_stage("weights")
    speed = latencies({trial.quant: trial.model for trial in trials}, exportable)
    on_stage("latency")
    sizes = {trial.quant: size_gate(len(trial.data), size_budget) for trial in trials}
    chosen = _chosen(trials, sizes, speed)
    gates = (parity_verdict, chosen.agreement, sizes[chosen.quant])
    _write(out, chosen.data, gates)
    return ExportReport(
        quant=chosen.quant,
        size_bytes=len(chosen.data),
        size_budget=size_budget,
        parts={name: len(part) for name, part in sorted(chosen.parts.items())},
        fp32_bytes=sum(map(len, make_parts(exportable, graphs, rows, "fp32").values())),
        samples=len(expected),
        parity=parity_verdict.figure,
        agreement=chosen.agreement.figure,
        accuracy_change=accuracy_change(expected, chosen.logits, exportable.sample_texts),
        probability_change=chosen.probability_change,
        latency=speed[chosen.quant],
        decision=chosen.decision.to_json(),
        gates=gates,
        trials=tuple(_row(trial, sizes[trial.quant], speed[trial.quant]) for trial in trials),
    )


def _chosen(
    trials: Sequence[Trial], sizes: dict[Quant, Verdict], speed: dict[Quant, Latency]
) -> Trial:
    """The fastest that passes, the smallest of equals; the first if none does."""
    passed = [trial for trial in trials if trial.agreement.passed and sizes[trial.quant].passed]
    if not passed:
        return trials[0]
    best = min(speed[trial.quant].p50_ms for trial in passed)
    fast = [trial for trial in passed if speed[trial.quant].p50_ms <= best * (1 + SAME_SPEED)]
    return min(fast, key=lambda trial: len(trial.data))


def _row(trial: Trial, size: Verdict, latency: Latency) -> dict[str, Any]:
    return {
        "quant": trial.quant,
        "size_bytes": len(trial.data),
        "agreement": trial.agreement.figure,
        "passed": trial.agreement.passed and size.passed,
        **asdict(latency),
    }


def _require_finite(exportable: Exportable) -> None:
    for module in filter(None, (exportable.model, exportable.head, exportable.ngrams)):
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


def _write(out: Path, data: bytes, gates: tuple[Verdict, ...]) -> None:
    lines = [f"{verdict.gate}: {verdict.line}" for verdict in gates if not verdict.passed]
    failed = out.with_name(f"{out.name}.failed")
    try:
        write_bytes(failed, data)
        lines += _refusals(failed)
        if not lines:
            failed.replace(out)
    except OSError as error:
        raise OptionError(f"{out}: cannot be written ({error.strerror})") from error
    if lines:
        why = "; ".join(lines)
        raise GateError(f"{out}: not written, {why}; the failed bundle is {failed.name}")


def _refusals(path: Path) -> list[str]:
    """What the runtime has against the bundle: it reads no file but one that keeps its rules."""
    try:
        load(path)
    except BundleError as error:
        return [f"reader: {error}"]
    return []
