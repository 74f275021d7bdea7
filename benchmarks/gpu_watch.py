"""How gpu_speed.py takes time: rounds between synchronisations, memory, and kernels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch

from codewren_distill.training import Progress
from gpu_plan import PROFILED, Arm

__all__ = ["EnoughError", "Round", "Watch", "device_and_peaks"]


class EnoughError(Exception):
    """All rounds are measured: a training that goes no further saves nothing either."""


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds of some steps in a row, and the most bytes of the device that they held."""

    seconds: float
    bytes: int


class Watch:
    """Called after each step of ours: times rounds of it, and of the other in between.

    `busy` is the share of a few steps' time, after the rounds, in which the device worked. Where
    there is no GPU, nothing is in it.
    """

    def __init__(self, arm: Arm, other: Callable[[int], None] | None) -> None:
        self.arm, self.other = arm, other
        self.rounds: dict[str, list[Round]] = {"codewren": [], "published": []}
        self.busy: dict[str, float] = {}
        self.warm_up_seconds = 0.0
        self._steps = self._watched()
        next(self._steps)  # as far as to the first step

    def __call__(self, _: Progress) -> None:
        """A step of ours is done. EnoughError when no more are wanted."""
        try:
            next(self._steps)
        except StopIteration:
            raise EnoughError from None

    def _watched(self) -> Iterator[None]:
        """Where it yields, a step of ours is done before it goes on."""
        begin = time.perf_counter()
        yield from self._ours(self.arm.warm_up)
        self.warm_up_seconds = time.perf_counter() - begin
        if self.other is not None:
            self.other(self.arm.turn)
        begin = time.perf_counter()
        for done in range(self.arm.rounds):
            if done > 1 and time.perf_counter() - begin > self.arm.seconds:
                break
            with self._round("codewren"):
                yield from self._ours(self.arm.turn)
            if self.other is not None:
                with self._round("published"):
                    self.other(self.arm.turn)
        if not torch.cuda.is_available():
            return
        with self._profiled("codewren"):
            yield from self._ours(PROFILED)
        if self.other is not None:
            with self._profiled("published"):
                self.other(PROFILED)

    def _ours(self, steps: int) -> Iterator[None]:
        for _ in range(steps):
            yield
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    @contextmanager
    def _round(self, whose: str) -> Iterator[None]:
        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        begin = time.perf_counter()
        yield
        if gpu:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
        most = torch.cuda.max_memory_allocated() if gpu else 0
        self.rounds[whose].append(Round(seconds, most))

    @contextmanager
    def _profiled(self, whose: str) -> Iterator[None]:
        profile = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA])
        with suppress(RuntimeError, AssertionError):  # not every machine lets a device be watched
            profile.start()
        torch.cuda.synchronize()
        begin = time.perf_counter()
        yield
        torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
        with suppress(RuntimeError, AttributeError, AssertionError):
            profile.stop()
            if busy := busy_seconds(profile):
                self.busy[whose] = round(busy / seconds, 3)


def busy_seconds(profile: Any) -> float:
    """How long any kernel or copy ran: those that ran at the same time count once."""
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in profile.events()
        if event.device_type.name == "CUDA" and not getattr(event, "is_user_annotation", False)
    )
    total, last = 0.0, 0.0
    for begin, end in spans:
        total += max(0.0, end - max(begin, last))
        last = max(last, end)
    return total / 1e6  # they are in microseconds


def device_and_peaks() -> dict[str, Any]:
    """The device at hand, and the GFLOPs a second of its best square matrix products."""
    gpu = torch.cuda.is_available()
    found: dict[str, Any] = {"gpu": None, "fp32_products": torch.get_float32_matmul_precision()}
    if gpu:
        properties = torch.cuda.get_device_properties(0)
        found |= {"gpu": properties.name, "bytes": properties.total_memory,
                  "cuda": torch.version.cuda}  # fmt: skip
    sides = (4_096, 8_192, 16_384) if gpu else (256, 512)
    kinds = {"bf16": torch.bfloat16, "fp32": torch.float32}
    return found | {
        "peak_gflops_per_second": {
            name: round(max(_product(side, kind, "cuda" if gpu else "cpu") for side in sides) / 1e9)
            for name, kind in kinds.items()
        }
    }


def _product(side: int, kind: torch.dtype, device: str) -> float:
    """FLOPs a second of one size, the best of some runs of four."""
    one, other = (torch.randn(side, side, device=device).to(kind) for _ in range(2))
    best = 0.0
    for _ in range(5):
        if device == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(4):
            one @ other
        if device == "cuda":
            torch.cuda.synchronize()
        best = max(best, 4 * 2 * side**3 / (time.perf_counter() - begin))
    return best
