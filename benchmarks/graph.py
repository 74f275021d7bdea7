"""The shipped graph against the one that onnxruntime's own optimizer makes.

Two models: the published vulnerability student (hidden 96, 12 layers, 8 heads; read from the
replication package's folder) and a student of hidden 192, 3 layers, 2 heads with random weights,
which are as fast as trained ones. Both read real C functions, cut at 400 tokens.

Times are CPU time of one thread at batch 1 without padding. Each function is timed with every
graph in turn, several times over, and its best time counts: other work on the machine only ever
adds. Logits and labels of both int8 graphs are compared with torch's on every function.

Writes one JSON; the table goes to the terminal.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from codewren.data import Fields, read_examples
from codewren_distill.classifier import Classifier
from codewren_distill.published import read_published
from codewren_distill.student import build_student
from codewren_export import Exportable, export_bundle
from codewren_export.families import read_encoder
from codewren_export.graph import text_graph
from codewren_export.quantise import quantise
from codewren_export.quiet import quiet
from codewren_export.reference import reference_graph
from codewren_export.scoring import Graphs, onnx_scorer, torch_scorer
from codewren_runtime.files import write_json
from codewren_runtime.types import Architecture, Example

SHARED = Path(__file__).resolve().parents[2] / "shared"
RESULTS = Path(__file__).parent / "results"
FUSED, APART, FP32, INT8, DYNAMIC = (
    "optimizer-fused fp32",
    "optimizer-fused fp32, Add and LayerNormalization apart",
    "shipped graph, fp32",
    "shipped graph, int8 weights",
    "shipped graph, int8 arithmetic (int8-dynamic)",
)
Ids = Sequence[list[int]]


def fused(exportable: Exportable, *, skip_layer_norm: bool) -> onnx.ModelProto:
    """Optimum's graph through `onnxruntime.transformers.optimizer`."""
    options = FusionOptions("bert")
    options.enable_skip_layer_norm = skip_layer_norm
    options.enable_bias_skip_layer_norm = skip_layer_norm
    with quiet(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plain.onnx"
        onnx.save(reference_graph(exportable, Path(folder)), path)
        shape = exportable.architecture
        heads, hidden = shape.num_heads, shape.hidden_size
        return optimizer.optimize_model(
            str(path), "bert", heads, hidden, optimization_options=options, opt_level=0
        ).model


def times(graphs: Mapping[str, onnx.ModelProto], ids: Ids, repeats: int) -> dict[str, list[float]]:
    """Each graph's best milliseconds of CPU time on each function."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    sessions = {
        name: ort.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        for name, graph in graphs.items()
    }
    best = {name: [float("inf")] * len(ids) for name in graphs}
    for _ in range(repeats):
        for row, one in enumerate(ids):
            feed = {"input_ids": np.array([one]), "attention_mask": np.ones((1, len(one)), int)}
            for name, session in sessions.items():
                inputs = {value.name: feed[value.name] for value in session.get_inputs()}
                begin = time.process_time()
                session.run(None, inputs)
                spent = 1000 * (time.process_time() - begin)
                best[name][row] = min(best[name][row], spent)
    return best


def timing(milliseconds: Sequence[float], ids: Ids, window: int) -> dict[str, float]:
    full = [ms for ms, one in zip(milliseconds, ids, strict=True) if len(one) == window]
    return {
        "median_ms": round(median(milliseconds), 2),
        "mean_ms": round(sum(milliseconds) / len(milliseconds), 2),
        "full_window_ms": round(median(full), 2),
    }


def agreement(
    exportable: Exportable, graphs: Mapping[str, onnx.ModelProto], ids: Ids
) -> dict[str, dict[str, Any]]:
    """Logits and labels of the int8 graphs against torch's, function by function."""
    rows = [(one,) for one in ids]
    expected = torch_scorer(exportable).logits(rows)
    answers = {
        name: onnx_scorer(Graphs(graphs[name], None)).logits(rows) for name in (INT8, DYNAMIC)
    }
    return {
        name: {
            "functions": len(ids),
            "labels_equal": float((expected.argmax(1) == found.argmax(1)).mean()),
            "largest_logit_difference": float(np.abs(expected - found).max()),
        }
        for name, found in answers.items()
    }


def measure(
    classifier: Classifier,
    shape: Architecture,
    codes: Sequence[Example],
    timed: int,
    repeats: int,
) -> dict[str, Any]:
    """One model's entry of the JSON."""
    tokenizer = classifier.text.tokenizer
    ids = [tokenizer.encode(code.text) for code in codes]
    exportable = Exportable(
        classifier.task, shape, "sequence", classifier.core, None, tokenizer.to_json(), codes[:64]
    )
    made = text_graph(read_encoder(exportable))
    graphs = {
        FUSED: fused(exportable, skip_layer_norm=True),
        APART: fused(exportable, skip_layer_norm=False),
        FP32: made,
        INT8: quantise(made, "int8", []),
        DYNAMIC: quantise(made, "int8-dynamic", []),
    }
    some = ids[:timed]
    spent = times(graphs, some, repeats)
    found = {
        name: {"graph_bytes": graph.ByteSize()} | timing(spent[name], some, shape.max_length)
        for name, graph in graphs.items()
    }
    for row in found.values():
        row["times_faster"] = round(found[FUSED]["median_ms"] / row["median_ms"], 2)
    with tempfile.TemporaryDirectory() as folder:
        report = export_bundle(exportable, Path(folder) / "model.wren")
    return {
        "architecture": shape.to_json(),
        "timed_functions": len(some),
        "median_tokens": median(map(len, some)),
        "graphs": found,
        "bundle_bytes": report.size_bytes,
        "parity": report.parity,
        "agreement": agreement(exportable, graphs, ids),
    }


def print_model(name: str, result: Mapping[str, Any]) -> None:
    print(f"\n{name}: bundle {result['bundle_bytes']:,} bytes, parity {result['parity']:.1e}")
    for graph, same in result["agreement"].items():
        print(
            f"{graph}: {100 * same['labels_equal']:.2f} % of {same['functions']:,} labels are "
            f"torch's, largest logit difference {same['largest_logit_difference']:.4f}"
        )
    print("\n| graph | bytes | median ms | mean ms | full window ms | times faster |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for graph, row in result["graphs"].items():
        print(f"| {graph} | " + " | ".join(f"{value:,}" for value in row.values()) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--published", type=Path, default=SHARED / "published" / "codebert-vulnerability-3mb"
    )
    parser.add_argument(
        "--data", type=Path, default=SHARED / "data" / "devign" / "test_public.jsonl.gz"
    )
    parser.add_argument("--timed", type=int, default=100, help="functions timed")
    parser.add_argument("--repeats", type=int, default=5, help="times that each is timed")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    codes = read_examples(arguments.data, Fields(label=None), None, require_label=False).examples
    published = read_published(arguments.published, "vulnerability", heads=8)
    student = published.classifier
    small = Architecture(student.text.tokenizer.vocab_size, 192, 3, 2, 128, 400)
    models = {
        "published vulnerability student": (student, published.architecture),
        "hidden 192, 3 layers, random weights": (
            build_student(small, student.task, student.text.tokenizer.to_json(), seed=0),
            small,
        ),
    }
    results = {}
    for name, (classifier, shape) in models.items():
        results[name] = measure(classifier, shape, codes, arguments.timed, arguments.repeats)
        print_model(name, results[name])
    machine = {
        "machine": platform.machine(),
        "onnxruntime": ort.__version__,
        "threads": 1,
        "repeats": arguments.repeats,
    }
    write_json(arguments.out / "graph.json", {**machine, "models": results})


if __name__ == "__main__":
    main()
