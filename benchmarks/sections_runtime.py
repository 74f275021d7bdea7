"""What the report says of bundles and the runtime, by the JSON's name: title, script, lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tables import table

__all__ = ["RUNTIME"]

Data = Mapping[str, Any]


def coldstart(data: Data) -> list[str]:
    rows = [
        (name, *(f"{f[key]['median']:g} ({f[key]['half'][0]:g} to {f[key]['half'][1]:g})"
                 for key in ("cpu_ms", "wall_ms", "resident_mb", "peak_mb")))
        for name, f in data["processes"].items()
    ]  # fmt: skip
    head = ("process", "CPU, ms", "wall, ms", "resident, MB", "most, MB")
    return [
        f"{data['repetitions']} fresh processes of each kind, in turn; median and middle half.",
        "",
        *table(head, rows),
        *(["", "![cold start](results/coldstart.png)"] if len(rows) > 4 else []),
    ]


def scaling(data: Data) -> list[str]:
    """Exponents, and throughput by threads."""
    rows = [
        (name, " / ".join(f"{size:,}" for size in line["sizes"]),
         " / ".join(f"{ms:.3g}" for ms in line["cpu_ms"]), f"{line['exponent']:g}",
         f"{line['allowed']:g}: {'holds' if line['holds'] else 'BROKEN'}")
        for name, line in data["series"].items()
    ]  # fmt: skip
    threads = [
        (str(row["threads"]), f"{row['per_second']:g}", f"{row['per_second_per_core']:g}",
         f"{row['cpu_seconds_per_1000']:g}")
        for row in data["threads"]
    ]  # fmt: skip
    return [
        *table(("by", "sizes", "CPU ms", "grows with exponent", "the work allows"), rows),
        "",
        *table(("threads", "functions a second", "a thread", "CPU s per 1,000"), threads),
        "",
        "![scaling](results/scaling.png)",
    ]


def size(data: Data) -> list[str]:
    rows = [
        (name, *(f"{row[key]:,}" for key in ("model_bytes", "needed_bytes",
                                             "with_dependencies_bytes")))
        for name, row in data["rows"].items()
    ]  # fmt: skip
    head = ("bytes on disk", "model", "libraries", "with all that those require")
    return [*table(head, rows), "", "![size](results/size.png)"]


def where_time_goes(data: Data) -> list[str]:
    """Stages of each model beside the bound, and the operators."""
    models = data["models"]
    stages = next(iter(models.values()))["stages_ms"]
    rows = [
        (stage, *(_share(m["stages_ms"][stage], m["whole_ms"]) for m in models.values()))
        for stage in stages
    ]
    totals = [
        ("**a whole prediction**", *(f"**{m['whole_ms']:.2f}**" for m in models.values())),
        ("the bound", *(f"{m['bound_ms']:.2f}" for m in models.values())),
        ("times the bound", *(f"**{m['times_bound']:.2f}**" for m in models.values())),
    ]
    operators = [
        f"- {name}: "
        + ", ".join(
            f"{operator} {ms:.2f}"
            for operator, ms in sorted(m["operators_ms"].items(), key=lambda pair: -pair[1])[:6]
        )
        for name, m in models.items()
    ]
    return [
        f"Mean ms of {data['functions']} functions. The bound: the multiply-adds that the graph "
        f"executes at {data['matrix_gflops_per_second']:g} GFLOP/s, the best product of large "
        "fp32 matrices on this core.",
        "",
        *table(("stage", *models), [*rows, *totals]),
        "",
        "By operator, ms:",
        "",
        *operators,
        "",
        "![where the time goes](results/where_time_goes.png)",
    ]


def _share(part: float, whole: float) -> str:
    return f"{part:.3f} ({100 * part / whole:.0f} %)"


def throughput(data: Data) -> list[str]:
    rows = [
        (way, f"{f['wall_ms']:g}", f"{f['cpu_ms']:g}") for way, f in data["each_function"].items()
    ]
    return [f"{data['texts']:,} texts.", "", *table(("", "wall ms a text", "CPU ms a text"), rows)]


def soak(data: Data) -> list[str]:
    memory = data["resident_mb"]
    return [
        f"{data['predictions']:,} predictions of mixed lengths on {data['threads']} thread: "
        f"resident memory {memory[0]:.1f} MB after the first hundredth, "
        f"{memory[-1]:.1f} MB at the end, growth {100 * data['growth']:.2f} %. "
        f"{data['answers_compared']:,} answers given again at the end: "
        f"{data['times_that_answers_changed']:,} had changed."
    ]


def graph(data: Data) -> list[str]:
    lines: list[str] = []
    for name, model in data["models"].items():
        rows = [
            (way, f"{f['graph_bytes']:,}", f"{f['median_ms']:g}", f"{f['times_faster']:g}")
            for way, f in model["graphs"].items()
        ]
        head = (name, "bytes", "median ms", "times faster")
        lines += [*table(head, rows), ""]
    return lines[:-1]


def latency_model(data: Data) -> list[str]:
    unseen, answer = data["all_unseen"], data["search_3MB_5ms"]
    return [
        "Architectures that the fit had not seen: median error "
        f"{100 * unseen['median_error']:.1f} %, 90th percentile "
        f"{100 * unseen['p90_error']:.1f} %. The answer for 3 MB and 5 ms takes "
        f"{answer['bytes']:,} bytes and {answer['cpu_ms_median']:.2f} ms of CPU "
        f"({answer['wall_ms_median']:.2f} wall), predicted {answer['predicted_ms']:.2f}.",
        "",
        "![latency model](results/latency_model.png)",
    ]


def scan(data: Data) -> list[str]:
    first, second = data["first"], data["second"]
    return [
        f"{data['tree']}: {data['lines']:,} lines, {data['found']['functions']:,} functions, a "
        f"bundle of {data['bundle']['size_bytes']:,} bytes, one thread. First scan "
        f"{first['cpu_seconds']:.1f} s of CPU ({data['functions_per_cpu_second']:.0f} functions "
        f"a second), second {second['cpu_seconds']:.1f} s; at most "
        f"{first['peak_bytes'] / 1e6:.0f} MB."
    ]


def lsp(data: Data) -> list[str]:
    rows = [
        (row["bundle"], f"{row['bundle_bytes']:,}", f"{row['debounce_ms']} ms",
         *(f"{row['edit'][clock]['p50']:g} / {row['edit'][clock]['p99']:g}"
           for clock in ("wall_ms", "cpu_ms")),
         f"{row['hover']['wall_ms']['p50']:g}")
        for row in data["rows"]
    ]  # fmt: skip
    head = (
        "bundle",
        "bytes",
        "debounce",
        "edit, wall p50 / p99 ms",
        "CPU p50 / p99 ms",
        "hover, ms",
    )
    return table(head, rows)


RUNTIME: dict[str, tuple[str, str, Callable[[Data], list[str]]]] = {
    "coldstart": ("From a fresh process to an answer", "coldstart.py", coldstart),
    "where_time_goes": ("Where the time goes", "where_time_goes.py", where_time_goes),
    "scaling": ("How cost grows", "scaling.py", scaling),
    "size": ("Bytes on disk", "size.py", size),
    "throughput": ("Many functions", "throughput.py", throughput),
    "soak": ("Memory over many predictions", "soak.py", soak),
    "graph": ("The shipped graph against the optimizer's", "graph.py", graph),
    "latency_model": ("Predicted latency", "latency_model.py", latency_model),
    "scan": ("A scan of a source tree", "scan.py TREE BUNDLE", scan),
    "scan-clones": ("A scan for clones", "scan.py TREE BUNDLE --name scan-clones", scan),
    "lsp": ("From a key to the diagnostics", "lsp.py", lsp),
}
