"""What the report says of hostile files, texts and moments: the counts of `attacks/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tables import table

__all__ = ["ATTACKS"]

Data = Mapping[str, Any]


def fuzz(data: Data) -> list[str]:
    """Mutated inputs."""
    kinds = {name: row for name, row in data.items() if isinstance(row, dict)}
    outcomes = ("accepted", "refused", "escaped", "crashed", "hung")
    rows = [
        (name, f"{row['count']:,}", *(f"{row['outcomes'][outcome]:,}" for outcome in outcomes),
         f"{row['different_refusals']:,}", f"{row['slowest_cpu_seconds']:g} s")
        for name, row in kinds.items()
    ]  # fmt: skip
    head = ("mutated", "count", *outcomes, "different refusals", "slowest, CPU")
    return table(head, rows)


def guided(data: Data) -> list[str]:
    """Inputs that coverage leads."""
    kinds = {name: row for name, row in data.items() if isinstance(row, dict)}
    rows = [
        (name, *(f"{row[what]:,}" for what in ("executions", "accepted", "refused", "branches")),
         f"{len(row['findings']):,}")
        for name, row in kinds.items()
    ]  # fmt: skip
    return table(("reader", "inputs", "accepted", "refused", "branches", "findings"), rows)


def texts(data: Data) -> list[str]:
    """Odd texts."""
    found, limits = data["outcomes"], data["limits"]
    return [
        f"{sum(found.values()):,} cases, texts of up to 100 MB among them, through "
        f"`Model.predict`, `predict`, `scan` and the pipe of `lsp`: {found['answered']:,} "
        f"answered, {found['refused']:,} refused in a line, {found['failed']:,} failed. At most "
        f"{data['most_cpu_seconds']:g} s of CPU (limit {limits['cpu_seconds']:g}) and "
        f"{data['most_peak_bytes'] / 1e6:,.0f} MB (limit {limits['peak_bytes'] / 1e6:,.0f})."
    ]


def kills(data: Data) -> list[str]:
    """SIGKILL at random instants."""
    rows = [
        (verb, *(f"{row[what]:,}" for what in ("attempts", "kills", "differ")))
        for verb, row in data["verbs"].items()
    ]
    head = ("verb", "attempts", "kills", "that differ afterwards")
    return table(head, rows)


def moments(data: Data) -> list[str]:
    """Signals, disks, a second process, no network: stopped / attempts, and what went wrong."""
    verbs = list(dict.fromkeys(verb for found in data["ways"].values() for verb in found))
    rows = [
        (way, *(f"{found[verb]['took_effect']} of {found[verb]['attempts']}" if verb in found
                else "–" for verb in verbs), f"{sum(row['bad'] for row in found.values())}")
        for way, found in data["ways"].items()
    ]  # fmt: skip
    return [
        "How many attempts took effect (a verb may end before its moment comes), and how many did "
        "not end in one line, or left other bytes after the same command was given again.",
        "",
        *table(("", *verbs, "bad"), rows),
    ]


ATTACKS: dict[str, tuple[str, str, Callable[[Data], list[str]]]] = {
    "fuzz": ("Mutated files", "fuzz.py --count 10000 --what bundles", fuzz),
    "guided": ("Files led by coverage", "guided.py", guided),
    "texts": ("Texts that nobody writes", "texts.py", texts),
    "kills": ("Killed at random instants", "kills.py --count 50", kills),
    "moments": ("What a machine does to a process", "moments.py --count 20", moments),
}
