"""What the report says of each benchmark's JSON, by the JSON's name: title, script, lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["OTHERS", "table"]

Data = Mapping[str, Any]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


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
        f"{memory[-1]:.1f} MB at the end, growth {100 * data['growth']:.2f} %."
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


def search(data: Data) -> list[str]:
    rows = [
        (f"{row['budget_bytes'] / 1e6:g} MB",
         *(f"{row[who][key]} of {row[who]['seeds']}" for who in ("codewren", "paper")
           for key in ("at_optimum", "over_budget")))
        for row in data["budgets"]
    ]  # fmt: skip
    head = ("budget", "at the optimum", "over budget", "the paper's: at the optimum", "over budget")
    return [*table(head, rows), "", "![search](results/search.png)"]


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


def proxies(data: Data) -> list[str]:
    rows = [
        (row["name"], f"{100 * row['accuracy']:.1f} ± {100 * row['spread']:.1f} %",
         f"{row['gflops']:.2f}", f"{row['measured_ms']:g}", f"{row['size_bytes']:,}")
        for row in sorted(data["architectures"], key=lambda row: -row["accuracy"])
    ]  # fmt: skip
    beside = ", ".join(f"{name} {100 * score:.1f} %" for name, score in data["baselines"].items())
    head = ("architecture", "accuracy", "GFLOPs", "ms", "bytes")
    return [*table(head, rows), "", f"Beside them: {beside}."]


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


def distill_speed(data: Data) -> list[str]:
    """Two training loops, and what their students are worth after equal steps."""
    head = ("loop", "steps/s", "functions/s", "of the peak", "KL to the teacher")
    rows = [
        (name, *(f"{data[name][key]:g}"
                 for key in ("steps_per_cpu_second", "functions_per_cpu_second")),
         f"{data[name]['utilisation']:.1%}", f"{data['held_out_kl'][name]:.4f}")
        for name in ("published", "codewren")
    ]  # fmt: skip
    ratio, functions = data["ratio"], data["functions"]
    return [
        f"{data['data']}, {functions['median_tokens']:g} tokens in the median; {data['rounds']} "
        f"rounds of {data['steps_a_round']} steps each, in turn, by the second of CPU time: "
        f"{ratio['median']:g} times as fast ({ratio['least']:g} to {ratio['most']:g}). KL on "
        f"{functions['held_out']} held-out functions; before training "
        f"{data['held_out_kl']['untrained']:g}.",
        "",
        *table(head, rows),
    ]


OTHERS: dict[str, tuple[str, str, Callable[[Data], list[str]]]] = {
    "coldstart": ("From a fresh process to an answer", "coldstart.py", coldstart),
    "where_time_goes": ("Where the time goes", "where_time_goes.py", where_time_goes),
    "scaling": ("How cost grows", "scaling.py", scaling),
    "size": ("Bytes on disk", "size.py", size),
    "throughput": ("Many functions", "throughput.py", throughput),
    "soak": ("Memory over many predictions", "soak.py", soak),
    "graph": ("The shipped graph against the optimizer's", "graph.py", graph),
    "latency_model": ("Predicted latency", "latency_model.py", latency_model),
    "search": ("Search against the certified optimum", "search.py", search),
    "distill_speed": ("Distillation beside the published loop", "distill_speed.py", distill_speed),
    "proxies": ("Does a proxy predict quality?", "proxies.py", proxies),
    "scan": ("A scan of a source tree", "scan.py TREE BUNDLE", scan),
    "scan-clones": ("A scan for clones", "scan.py TREE BUNDLE --name scan-clones", scan),
    "lsp": ("From a key to the diagnostics", "lsp.py", lsp),
}
