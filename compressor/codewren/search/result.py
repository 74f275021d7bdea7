"""What a search answers, and how it is written to `architecture.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar

from codewren.budget import Budget
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture, TaskKind

__all__ = [
    "Candidate",
    "Certificate",
    "Formula",
    "GenerationRecord",
    "Proxy",
    "SearchResult",
    "capacity",
]

Formula = Literal["codewren", "paper"]
Proxy = Literal["flops", "executed", "parameters"]
"""What stands for capacity: FLOPs of the student module (the paper's proxy), those that the
exported graph really executes, or parameters."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An architecture with its parameters, FLOPs of a prediction and bytes on disk.

    `executed` are the FLOPs that the exported graph runs; `latency_ms` is predicted, None
    without a latency model. `limited_by` says what stops it from growing: "size", "latency",
    both, or nothing but the edge of the space.
    """

    architecture: Architecture
    parameters: int
    flops: int
    executed: int
    size_bytes: int
    latency_ms: float | None = None
    limited_by: tuple[str, ...] = ()

    @property
    def gflops(self) -> float:
        """FLOPs of a prediction in 1e9."""
        return self.flops / 1e9


def capacity(candidate: Candidate, proxy: Proxy) -> int:
    """What `proxy` says of a candidate."""
    return int(getattr(candidate, proxy))


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """One generation of the genetic algorithm.

    `best_capacity` (by the search's proxy) is of the best feasible
    architecture so far (None: none yet), `median_capacity` of the feasible part of the
    population, `feasible` that part's share, `evaluations` and `restarts` those since the start.
    """

    generation: int
    evaluations: int
    restarts: int
    feasible: float
    best_capacity: int | None
    median_capacity: float | None
    best_bytes: int | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """Proof by enumeration: every valid configuration was looked at; so many are feasible."""

    configurations: int
    feasible: int


@dataclass(frozen=True)
class SearchResult:
    """The best architecture under a budget, and how it was found.

    `candidates` are the best few, best first; `candidates[0]` is the answer. A search by
    enumeration has a certificate and no seed, settings or history; the runners-up of the
    genetic algorithm are the best that it met, those of an enumeration the best that exist.
    With `pareto` the candidates are a front of bytes, latency and capacity.
    """

    candidates: tuple[Candidate, ...]
    space: str
    space_sha256: str
    budget: Budget
    formula: Formula
    proxy: Proxy
    kind: TaskKind
    num_labels: int
    evaluations: int
    seed: int | None = None
    settings: Mapping[str, Any] | None = None
    certificate: Certificate | None = None
    history: tuple[GenerationRecord, ...] = ()
    pareto: bool = False

    @property
    def best(self) -> Candidate:
        """The answer."""
        return self.candidates[0]

    @property
    def architecture(self) -> Architecture:
        """The answer's architecture."""
        return self.best.architecture

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; the answer's architecture stands first, under its own name."""
        return {
            "architecture": self.architecture.to_json(),
            "candidates": [
                {**asdict(c), "architecture": c.architecture.to_json()} for c in self.candidates
            ],
            "space": self.space,
            "space_sha256": self.space_sha256,
            "budget": self.budget.to_json(),
            "formula": self.formula,
            "proxy": self.proxy,
            "kind": self.kind,
            "num_labels": self.num_labels,
            "evaluations": self.evaluations,
            "seed": self.seed,
            "settings": None if self.settings is None else dict(self.settings),
            "certificate": None if self.certificate is None else asdict(self.certificate),
            "history": [asdict(record) for record in self.history],
            "pareto": self.pareto,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SearchResult:
        """Inverse of `to_json`; raises OptionError for anything that is no search result.

        Fields that others added to the file are not looked at.
        """
        if missing := sorted({"architecture", *(f.name for f in fields(cls))} - set(data)):
            raise OptionError(f"search result: field {missing[0]!r} is missing")
        try:
            result = cls._read(data)
        except (TypeError, ValueError, KeyError) as error:
            raise OptionError(f"search result: damaged ({error})") from error
        if not result.candidates or result.architecture.to_json() != data["architecture"]:
            raise OptionError("search result: architecture is not that of the first candidate")
        return result

    @classmethod
    def _read(cls, data: Mapping[str, Any]) -> SearchResult:
        values = {field.name: data[field.name] for field in fields(cls)}
        values["candidates"] = tuple(_candidate(item) for item in data["candidates"])
        values["budget"] = Budget.from_json(data["budget"])
        values["history"] = tuple(_record(GenerationRecord, item) for item in data["history"])
        if data["certificate"] is not None:
            values["certificate"] = _record(Certificate, data["certificate"])
        return cls(**values)


Record = TypeVar("Record", GenerationRecord, Certificate, Candidate)


def _record(kind: type[Record], item: Mapping[str, Any]) -> Record:
    return kind(**item)


def _candidate(item: Mapping[str, Any]) -> Candidate:
    architecture = Architecture.from_json(item["architecture"])
    limits = tuple(item["limited_by"])
    return _record(Candidate, {**item, "architecture": architecture, "limited_by": limits})
