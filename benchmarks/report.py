"""Write benchmarks/REPORT.md from the JSON files of the benchmarks, and of the attacks.

    python benchmarks/report.py [--results FOLDER] [--out FILE]

Every figure in it is read from a file that one of the scripts wrote; a benchmark without a file
is named as not run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json, write_bytes
from sections_attacks import ATTACKS
from sections_models import MODELS
from sections_runtime import RUNTIME
from tables import table

HERE = Path(__file__).parent
Data = Mapping[str, Any]

HEAD = """# Benchmarks

Each figure comes from a JSON file, and each file from the command beside it. Where the
machine was not idle (its load stands with the figures) timings are provisional: compare CPU time,
and ratios, whose two sides were measured in turn. `make bench` takes less than 20 minutes of two
cores, with smaller counts than some scripts take by themselves, and writes this page anew; what
needs more time or data of yours (graph, proxies, scan) keeps the figures of its last run.
"""


def latency(data: Data) -> list[str]:
    """Contestants side by side, and the targets."""
    rows = data["contestants"]
    ours, names = set(data["students"]), sorted(rows, key=lambda n: rows[n]["cpu_ms"]["p50"])
    return [
        f"{data['count']} functions of {data['functions']}, median "
        f"{data['median_characters']:,.0f} characters; {data['passes']} passes, all contestants "
        "in turn on each function, one process, one thread, batch 1, from text to answer. "
        f"{machine(data)}"
        + ("" if data["published_weights"] else " The published shapes have random weights."),
        "",
        *table(
            ("", "bytes of the model", "CPU p50 / p95, ms", "wall p50 / p95, ms",
             "a second and core", "CPU s per 1,000"),
            [
                (f"**{name}**" if name in ours else name, f"{rows[name]['model_bytes']:,}",
                 spread(rows[name]["cpu_ms"]), spread(rows[name]["wall_ms"]),
                 f"{rows[name]['per_second_per_core']:g}",
                 f"{rows[name]['cpu_seconds_per_1000']:g}")
                for name in names
            ],
        ),
        "",
        "![latency](results/latency.png)",
        "",
        *targets(data),
        "",
        "By length of the input, median CPU ms:",
        "",
        *lengths(rows, names),
    ]  # fmt: skip


def targets(data: Data) -> list[str]:
    """The ratios, with what was wanted; 95 % bootstrap intervals over the functions."""
    found = [
        (line["student"], line["peer"], f"{line['ratio']:g}",
         "{:g} to {:g}".format(*line["interval"]),
         "" if line["wanted"] is None
         else f"≥ {line['wanted']}: {'met' if line['met'] else 'NOT met'}")
        for line in data["compared"]
    ]  # fmt: skip
    head = ("student", "peer", "times less CPU time (medians)", "95 % of resamplings", "target")
    return table(head, found)


def lengths(rows: Data, names: list[str]) -> list[str]:
    groups = [group["characters"] for group in rows[names[0]]["by_length"]]
    counts = [group["inputs"] for group in rows[names[0]]["by_length"]]
    heads = [f"{group} characters ({n})" for group, n in zip(groups, counts, strict=True)]
    return table(
        ("", *heads),
        [(name, *(f"{g['cpu_ms']:g}" for g in rows[name]["by_length"])) for name in names],
    )


def peer_wins(data: Data) -> list[str]:
    """Every figure of latency.json in which something beats one of our students."""
    rows, lines = data["contestants"], []
    figures: dict[str, Callable[[Data], float]] = {
        "median CPU time": lambda row: row["cpu_ms"]["p50"],
        "95th percentile of CPU time": lambda row: row["cpu_ms"]["p95"],
        "median wall time": lambda row: row["wall_ms"]["p50"],
        "bytes of the model": lambda row: row["model_bytes"],
        **{
            f"median CPU time of inputs {group['characters']} characters": (
                lambda row, at=at: row["by_length"][at]["cpu_ms"]
            )
            for at, group in enumerate(next(iter(rows.values()))["by_length"])
        },
    }
    for student in data["students"]:
        for figure, of in figures.items():
            own = of(rows[student])
            better = {name: of(row) for name, row in rows.items()
                      if name not in data["students"] and of(row) < own}  # fmt: skip
            lines += [
                f"- {figure}: {name} ({value:,.4g}) against {student} ({own:,.4g})"
                for name, value in better.items()
            ]
    return lines or ["- none of those measured"]


def spread(quantiles: Data) -> str:
    return f"{quantiles['p50']:.3g} / {quantiles['p95']:.3g}"


def machine(data: Data) -> str:
    found = data["machine"]
    versions = ", ".join(f"{name} {found[name]}" for name in ("onnxruntime", "torch", "numpy")
                         if name in found)  # fmt: skip
    return (
        f"{found['cpu']}, {found['cores']} cores, load {found.get('load')}, {found.get('system')}, "
        f"Python {found['python']}, {versions}."
    )


OURS: dict[str, tuple[str, str, Callable[[Data], list[str]]]] = {
    "latency": ("One prediction, beside its peers", "latency.py", latency),
}


def section(results: Path, name: str, title: str, script: str, write: Any) -> list[str]:
    folder = "attacks" if name in ATTACKS else "benchmarks"
    lines = [f"## {title}", "", f"`python {folder}/{script}` → `{folder}/results/{name}.json`", ""]
    try:
        data = read_json(results / f"{name}.json")
    except OptionError:
        return [*lines, "Not run.", ""]
    reduced = ["A reduced run: fewer inputs than the script takes by itself.", ""]
    return [*lines, *(reduced if data.get("reduced") else []), *write(data), ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE / "REPORT.md")
    given = parser.parse_args()
    lines = [HEAD]
    for name, (title, script, write) in (OURS | RUNTIME | MODELS).items():
        lines += section(given.results, name, title, script, write)
        if name == "latency":
            lines += section(given.results, name, "Where a peer wins", script, peer_wins)
    for name, (title, script, write) in ATTACKS.items():
        lines += section(HERE.parent / "attacks" / "results", name, title, script, write)
    write_bytes(given.out, ("\n".join(lines).rstrip() + "\n").encode())


if __name__ == "__main__":
    main()
