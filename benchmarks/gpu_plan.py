"""What gpu_speed.py measures, and in which order: what matters most comes first."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEVICE", "PLAN", "PROFILED", "QUICK", "WAYS", "Arm"]

PROFILED = 5  # steps after the rounds
DEVICE = "device"  # the first thing to measure: its best matrix products

# How a model is compiled: what accelerate reads, beside the backend. One compilation for all
# lengths of a batch: for each of 25 it would take longer than the measurement.
DYNAMIC = {"ACCELERATE_DYNAMO_USE_DYNAMIC": "true"}
WAYS: dict[str, dict[str, str]] = {
    "plain": {},
    "layers": DYNAMIC | {"ACCELERATE_DYNAMO_USE_REGIONAL_COMPILATION": "true"},
    "whole": DYNAMIC,
}


@dataclass(frozen=True, slots=True)
class Arm:
    """One training: rounds of `turn` steps until there are enough, or `seconds` have gone by."""

    model: str  # student or teacher
    batch: int
    way: str  # of WAYS
    turn: int
    rounds: int = 10
    seconds: float = 8.0
    warm_up: int = 20
    beside: bool = False  # the published recipe takes turns with it: it has its batch of 16

    @property
    def steps(self) -> int:
        """All steps of the training, those of the profile in the end among them."""
        return self.warm_up + self.rounds * self.turn + PROFILED

    @property
    def name(self) -> str:
        """By which its results are known."""
        return f"{self.model}-{self.batch}-{self.way}"


def _of(way: str) -> list[Arm]:
    return [
        Arm("student", 16, way, 20, beside=True),
        Arm("student", 256, way, 10),
        Arm("teacher", 32, way, 10),
        Arm("teacher", 128, way, 5, warm_up=10),
    ]


PLAN = [arm for way in WAYS for arm in _of(way)]
QUICK = [
    Arm("student", 16, "plain", 1, 2, warm_up=1, beside=True),
    Arm("teacher", 4, "plain", 1, 2, warm_up=1),
    Arm("student", 16, "layers", 1, 2, warm_up=1, beside=True),
    Arm("student", 16, "whole", 1, 2, warm_up=1, beside=True),
]
