"""Where does one prediction's time go, and how far is that from what this core could do?

    python benchmarks/where_time_goes.py [BUNDLE ...] [--data FILE]

By stage: normalising and tokenizing the text, the graph, the decision, each timed around the
runtime's own calls. Within the graph by operator, from onnxruntime's profiler; each node's least
of several passes counts, since other work on the machine only ever adds. What is left of a whole
prediction is what Python and onnxruntime do between the operators. Beside it stands the bound: the
multiply-adds that the graph executes, at the rate of this core's best product of large matrices.

Without a bundle: the published student's shape and the one that `latency.py` times where there
is no model, random weights. Writes benchmarks/results/where_time_goes.json, .png and .svg.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

import peers
from codewren.bench.inputs import read_inputs
from codewren.bench.machine import machine
from codewren.latency.measure import bundle_of
from codewren.search.cost import count_executed
from codewren.search.figures import new_figure, save_figure, tidy
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime import Bundle, Model, read_bundle
from codewren_runtime._session import _options
from codewren_runtime.files import write_json
from codewren_runtime.text import normalise
from codewren_runtime.types import Architecture
from latency import DEVIGN, QUICK_SHAPE

RESULTS = Path(__file__).parent / "results"
STAGES = ("normalise", "tokenize", "embedding", "queries, keys, values", "attention kernel",
          "attention output", "feed-forward", "residuals and norms", "copies", "head",
          "between operators", "decision")  # fmt: skip
SIDE = 1_024  # of the matrices whose product gives the rate


def matrix_rate(repeats: int) -> float:
    """The most GFLOP/s of one thread: onnxruntime's product of large fp32 matrices."""
    shape = [SIDE, SIDE]
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
              for name in "abc"]  # fmt: skip
    node = onnx.helper.make_node("MatMul", ["a", "b"], ["c"])
    graph = onnx.helper.make_graph([node], "product", values[:2], values[2:])
    opsets = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), _options())
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return 2 * SIDE**3 / 1e6 / least(lambda: session.run(None, {"a": matrix, "b": matrix}), repeats)


def least(call: Callable[[], object], repeats: int) -> float:
    """Least CPU milliseconds of a call."""
    found = []
    for _ in range(repeats):
        begin = time.process_time()
        call()
        found.append(1e3 * (time.process_time() - begin))
    return min(found)


def named(model: bytes) -> bytes:
    """The graph with each node's name saying its stage, for the profiler to repeat."""
    graph = onnx.load_from_string(model)
    for number, (node, stage) in enumerate(zip(graph.graph.node, stages(graph), strict=True)):
        node.name = f"{stage}#{number}"
    return bytes(graph.SerializeToString())


def stages(graph: onnx.ModelProto) -> Iterator[str]:
    """The stage of each node, in the order that `codewren_export.graph` writes them."""
    left = sum(node.op_type == "MultiHeadAttention" for node in graph.graph.node)
    state = "embedding"
    for node in graph.graph.node:
        kind = node.op_type
        if kind == "MultiHeadAttention":
            left, state = left - 1, "attention output"
            yield "attention kernel"
        elif kind in ("Gemm", "Gelu", "FastGelu", "Relu", "Tanh", "MatMul"):
            yield state
        elif kind == "LayerNormalization":
            yield "residuals and norms" if state != "embedding" else state
            following = "queries, keys, values" if left else "head"
            state = "feed-forward" if state == "attention output" else following
        elif kind == "Add":
            yield "residuals and norms" if state != "embedding" else state
        else:
            yield "embedding" if state == "embedding" else "copies"


def profiled(
    model: bytes, ids: Sequence[list[int]], passes: int
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """For each input: milliseconds by stage and by operator."""
    with tempfile.TemporaryDirectory() as folder:
        options = _options()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "p")
        session = ort.InferenceSession(named(model), options)
        for _ in range(passes):
            for one in ids:
                session.run(None, {"input_ids": np.array([one], dtype=np.int64)})
        events = json.loads(Path(session.end_profiling()).read_text())
    runs = split(events)
    assert len(runs) == passes * len(ids), "one run of the profiler for each call"
    by_stage, by_operator = [], []
    for row in range(len(ids)):
        same = runs[row :: len(ids)]
        stage, operator = defaultdict[str, float](float), defaultdict[str, float](float)
        for name, kind in same[0]:
            spent = min(nodes[name, kind] for nodes in same)
            known = name.removeprefix("fused ").split("#")[0]
            stage[known if known in STAGES else "copies"] += spent
            operator[kind] += spent
        by_stage.append(dict(stage))
        by_operator.append(dict(operator))
    return by_stage, by_operator


Run = dict[tuple[str, str], float]


def split(events: Sequence[Mapping[str, Any]]) -> list[Run]:
    """Milliseconds of each node (name, operator), run by run."""
    runs: list[Run] = []
    ordered = sorted(events, key=lambda event: event.get("ts", 0) + event.get("dur", 0))
    nodes: Run = {}
    for event in ordered:
        name = event["name"]
        if event.get("cat") == "Node" and name.endswith("_kernel_time"):
            key = (name.removesuffix("_kernel_time"), event["args"]["op_name"])
            nodes[key] = nodes.get(key, 0.0) + event["dur"] / 1e3
        elif name == "model_run":
            runs.append(nodes)
            nodes = {}
    return runs


def outside(bundle: Bundle, texts: Sequence[str], passes: int) -> dict[str, float]:
    """Mean milliseconds of what surrounds the graph, and of a whole prediction."""
    model, kind = Model(bundle), bundle.manifest.task.kind
    mode, answer = bundle.manifest.task.normalisation, np.zeros(2, dtype=np.float32)
    whole = model.predict if kind == "single" else model.embed

    def each(call: Callable[[str], object]) -> float:
        return mean(least(lambda: call(text), passes) for text in texts)  # noqa: B023

    normalising = each(lambda text: normalise(text, mode))
    return {
        "normalise": normalising,
        "tokenize": max(0.0, each(model._tokenizer.encode) - normalising),
        "decision": each(lambda _: model._prediction(answer)) if kind == "single" else 0.0,
        "whole": each(whole),
    }


def measure(bundle: Bundle, texts: Sequence[str], passes: int, rate: float) -> dict[str, Any]:
    """One model's entry of the JSON; all times are means over the texts."""
    shape, kind = bundle.manifest.architecture, bundle.manifest.task.kind
    model = Model(bundle)
    ids = [model._tokenizer.encode(text) for text in texts]
    by_stage, by_operator = profiled(bundle.model, ids, passes)
    around = outside(bundle, texts, passes)
    inside = {stage: mean(row.get(stage, 0.0) for row in by_stage) for stage in STAGES}
    operators = {name for row in by_operator for name in row}
    found = inside | {stage: around[stage] for stage in ("normalise", "tokenize", "decision")}
    found["between operators"] = max(0.0, around["whole"] - sum(found.values()))
    texts_of = 1 if kind == "single" else 2
    flops = mean(
        count_executed(replace(shape, max_length=max(8, len(one))), kind, 2) / texts_of
        for one in ids
    )
    bound = flops / 1e6 / rate
    return {
        "architecture": shape.to_json(),
        "mean_tokens": round(mean(map(len, ids)), 1),
        "executed_gflops": round(flops / 1e9, 4),
        "whole_ms": round(around["whole"], 4),
        "stages_ms": {stage: round(found[stage], 4) for stage in STAGES},
        "operators_ms": {
            name: round(mean(row.get(name, 0.0) for row in by_operator), 4)
            for name in sorted(operators)
        },
        "bound_ms": round(bound, 4),
        "times_bound": round(around["whole"] / bound, 2),
    }


def draw(models: Mapping[str, Any], path: Path) -> None:
    """One bar for each model, a piece for each stage, and the bound."""
    import matplotlib

    figure = new_figure(width=10, height=0.8 * len(models) + 2.4)
    axes, colours = figure.subplots(), matplotlib.colormaps["tab20"].colors
    lefts = np.zeros(len(models))
    for stage, colour in zip(STAGES, colours, strict=False):
        widths = np.array([model["stages_ms"][stage] for model in models.values()])
        axes.barh(range(len(models)), widths, left=lefts, color=colour, label=stage, height=0.6)
        lefts += widths
    for at, model in enumerate(models.values()):
        axes.plot([model["bound_ms"]] * 2, [at - 0.4, at + 0.4], color="black",
                  label="bound" if at == 0 else None)  # fmt: skip
    axes.set_yticks(range(len(models)), list(models))
    axes.set(xlabel="ms of one function, mean")
    axes.legend(ncols=4, frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.2))
    tidy(axes)
    save_figure(figure, path)


def of_shape(shape: Architecture, texts: Sequence[str]) -> Bundle:
    """A bundle of random weights."""
    return bundle_of(shape, "single", train_tokenizer(texts, shape.vocab_size, "structure"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundles", type=Path, nargs="*")
    parser.add_argument("--data", type=Path, default=DEVIGN if DEVIGN.exists() else None)
    parser.add_argument("--functions", type=int, default=40)
    parser.add_argument("--passes", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="two functions, a small shape: runs?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plots")
    given = parser.parse_args()
    count, passes = (2, 2) if given.quick else (given.functions, given.passes)
    texts = read_inputs(given.data, "func", count, seed=0).texts
    bundles = {path.name: read_bundle(path) for path in given.bundles}
    if not bundles:
        more = read_inputs(given.data, "func", 50 if given.quick else 2_000, seed=1).texts
        shapes = {"published shape": peers.PUBLISHED, "searched shape": QUICK_SHAPE}
        if not given.quick:
            shapes["searched shape"] = peers.student_shape()
        bundles = {name: of_shape(shape, more) for name, shape in shapes.items()}
    rate = matrix_rate(3 if given.quick else 30)
    result = {
        "machine": machine(),
        "functions": len(texts),
        "passes": passes,
        "reduced": given.quick,
        "matrix_gflops_per_second": round(rate, 1),
        "models": {name: measure(one, texts, passes, rate) for name, one in bundles.items()},
    }
    write_json(given.out / "where_time_goes.json", result)
    draw(result["models"], given.out / "where_time_goes")
    for name, model in result["models"].items():
        print(f"{name}: {model['whole_ms']:.2f} ms, bound {model['bound_ms']:.2f} at "
              f"{rate:.0f} GFLOP/s, {model['times_bound']:.1f} times")  # fmt: skip
        for stage, spent in model["stages_ms"].items():
            print(f"    {stage:<24} {spent:8.3f} ms")


if __name__ == "__main__":
    main()
