"""What a model costs whoever runs it: milliseconds and bytes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TypeVar

__all__ = ["p50", "shipped"]

TIMED = 100  # examples timed one by one

Item = TypeVar("Item")


def p50(call: Callable[[Item], object], examples: Sequence[Item]) -> float:
    """Median milliseconds of one call, after a few to warm up."""
    stride = max(1, len(examples) // TIMED)
    chosen = examples[::stride][:TIMED]
    for example in chosen[:5]:
        call(example)
    times = []
    for example in chosen:
        begin = time.perf_counter()
        call(example)
        times.append(time.perf_counter() - begin)
    return median(times) * 1000


def shipped(folder: Path) -> int:
    """Bytes of the weights and the tokenizer: what a user would have to ship."""
    files = [*folder.glob("*.safetensors"), *folder.glob("tokenizer.json"), folder / "config.json"]
    return sum(path.stat().st_size for path in files)
