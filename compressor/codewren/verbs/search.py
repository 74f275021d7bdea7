"""search: the architecture of most capacity under a hard budget of bytes, and of latency."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codewren.budget import Bits, Budget, parse_latency, parse_size
from codewren.run_directory import Run, Step, read_marker
from codewren_runtime.errors import OptionError
from codewren_runtime.files import sha256_of
from codewren_runtime.types import Architecture, Task, TaskKind

if TYPE_CHECKING:
    from codewren.data import Dataset
    from codewren.latency.model import LatencyModel
    from codewren.search.result import Formula, GenerationRecord, Proxy, SearchResult
    from codewren.search.space import SearchSpace
    from codewren.verbs.finalists import FinalistSettings

__all__ = ["SearchSettings", "read_architecture", "read_budget", "search_architecture"]

ARCHITECTURE = "architecture.json"

NGRAM_GRAPH_BYTES = {"single": 700, "pair": 1_100}  # nodes, and the constants of the hash
NGRAM_TRAITS = 16  # of a pair
PUBLISHED = Architecture(1000, 96, 12, 8, 64, 400)  # Shi et al., ASE 2022


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What decides a search.

    `space` is a name or the path of a TOML file. `latency` ("5ms") limits the predicted
    median of one prediction on a text of `characters`; `latency_model` is the file of another
    CPU's model. `ngrams` are the buckets that the student gets beside the encoder, for which room
    is kept. `finalists` of a Pareto front are trained briefly and the best one is taken.
    """

    size: str = "3MB"
    bits: Bits = 8
    space: str = "small"
    formula: Formula = "codewren"
    proxy: Proxy = "executed"
    latency: str | None = None
    characters: int = 950
    latency_model: str | None = None
    exhaustive: bool = False
    pareto: bool = False
    finalists: int = 0
    ngrams: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.characters < 1:
            raise OptionError(f"characters must be at least 1, not {self.characters}")
        if self.finalists == 1 or self.finalists < 0:
            raise OptionError(f"finalists must be 0 or at least 2, not {self.finalists}")
        if self.exhaustive and (self.pareto or self.finalists):
            raise OptionError(
                "exhaustive enumerates for one answer: leave pareto and finalists out"
            )
        if self.formula == "paper" and (self.pareto or self.finalists):
            raise OptionError(
                "the paper's formula knows no latency: leave pareto and finalists out"
            )

    def budget(self, kind: TaskKind = "single", num_labels: int = 2) -> Budget:
        """The hard budget; OptionError if size, bits, latency or n-grams make none."""
        latency = None if self.latency is None else parse_latency(str(self.latency))
        if not self.ngrams:
            return Budget(parse_size(self.size), self.bits, latency)
        if kind == "embedding":
            raise OptionError("ngrams are for labels, and an embedding has none; leave them out")
        columns = NGRAM_TRAITS if kind == "pair" else num_labels - 1
        # Rows as wide as those of traits have a scale each.
        scale = 4 if kind == "pair" and self.bits == 8 else 0
        table = self.ngrams * (columns * self.bits // 8 + scale)
        reserved = table + NGRAM_GRAPH_BYTES[kind]
        return Budget(parse_size(self.size), self.bits, latency, reserved_bytes=reserved)


def search_architecture(
    run: Run,
    settings: SearchSettings,
    task: Task,
    data: Dataset | None = None,
    training: FinalistSettings | None = None,
) -> dict[str, Any]:
    """Write `run/architecture.json` (and search.png) and return what it says.

    `data` are labelled rows, and `training` how finalists train on them.
    """
    from codewren.search import load_space, plot_search
    from codewren.search.ranking import pose
    from codewren.verbs.finalists import FinalistSettings, choose

    budget = settings.budget(task.kind, len(task.labels))
    space = load_space(settings.space)
    model = _latency_model(settings)
    if model is not None and budget.latency_ms is not None:
        budget = replace(budget, latency_margin=model.p90_error)
    if settings.finalists and task.kind == "embedding":
        raise OptionError("finalists are compared by their labels, and an embedding has none")
    if settings.finalists and data is None:
        raise OptionError("finalists train on labelled rows: name them with --data")
    inputs = asdict(settings) | {
        "space": space.sha256,
        "kind": task.kind,
        "num_labels": len(task.labels),
        "latency_model": None if model is None else sha256_of(model.to_json()),
    }
    if settings.finalists and data is not None:
        training = training or FinalistSettings()
        inputs |= {"data": data.sha256, "training": [training.rows, training.epochs]}
    step = Step("search", run.path(ARCHITECTURE), inputs)
    if done := run.finished(step):
        return done
    result = _found(run, step, settings, space, budget, task, model)
    timing = None if model is None else model.timing(settings.characters)
    problem = pose(
        space, budget, task.kind, len(task.labels), formula=settings.formula, timing=timing
    )
    plot_search(result, run.path("search.png"), problem.candidate(PUBLISHED))
    found = result.to_json()
    if training is not None and data is not None:
        found = choose(run, result, task, data, training, settings.seed)
    return step.finish(found)


def read_architecture(run: Run) -> Architecture:
    """The run's architecture; OptionError if search has not run."""
    path = run.path(ARCHITECTURE)
    if not path.is_file():
        raise OptionError(f"{path}: no architecture there; run search first")
    shape = read_marker(path).get("architecture")
    if not isinstance(shape, dict):
        raise OptionError(f"{path}: holds no architecture; run search --force")
    try:
        return Architecture.from_json(shape)
    except OptionError as error:
        raise OptionError(f"{path}: {error}; run search --force") from error


def read_budget(run: Run) -> Budget:
    """The budget that the run's architecture keeps; OptionError if the file holds none."""
    path = run.path(ARCHITECTURE)
    try:
        return Budget.from_json(read_marker(path).get("budget"))
    except OptionError as error:
        hint = "" if str(path) in str(error) else f"{path}: "
        raise OptionError(f"{hint}{error}; run search --force") from error


def _latency_model(settings: SearchSettings) -> LatencyModel | None:
    """The model to predict with; OptionError if one is needed and there is none."""
    from codewren.latency.store import load_model

    if settings.formula == "paper":
        return None
    model = load_model(Path(settings.latency_model) if settings.latency_model else None)
    if model is None and (settings.latency or settings.pareto or settings.finalists):
        raise OptionError(
            "latency, pareto and finalists need a latency model of this CPU: run compress "
            "calibrate (some minutes, once), or name another CPU's with --latency-model"
        )
    return model


def _found(
    run: Run,
    step: Step,
    settings: SearchSettings,
    space: SearchSpace,
    budget: Budget,
    task: Task,
    model: LatencyModel | None,
) -> SearchResult:
    from codewren.search import GeneticSettings, enumerate_space, search
    from codewren.search.pareto import ParetoSettings, pareto_search

    asked = (space, budget, task.kind, len(task.labels))
    timing = None if model is None else model.timing(settings.characters)
    if settings.exhaustive:
        return enumerate_space(
            *asked, formula=settings.formula, proxy=settings.proxy, timing=timing
        )
    if timing is not None and (settings.pareto or settings.finalists):
        chosen = ParetoSettings(seed=settings.seed)
        if settings.finalists:
            chosen = replace(chosen, front=settings.finalists)
        with run.reporter.step(step.title, chosen.generations) as bar:
            return pareto_search(
                *asked,
                timing,
                chosen,
                proxy=settings.proxy,
                on_generation=lambda front: bar.advance(1, f"{front} on the front"),
            )
    checkpoint = run.path("search_state.json")
    if run.force:
        checkpoint.unlink(missing_ok=True)
    genetic = GeneticSettings(seed=settings.seed)
    with run.reporter.step(step.title, genetic.generations) as bar:
        result = search(
            *asked,
            genetic,
            formula=settings.formula,
            proxy=settings.proxy,
            timing=timing,
            on_generation=lambda record: bar.advance(1, _note(record, settings.proxy)),
            checkpoint=checkpoint,
        )
    checkpoint.unlink(missing_ok=True)
    return result


def _note(record: GenerationRecord, proxy: Proxy) -> str:
    if record.best_capacity is None:
        return "nothing fits yet"
    if proxy == "parameters":
        return f"best {record.best_capacity:,} parameters"
    return f"best {record.best_capacity / 1e9:.4f} GFLOPs"
