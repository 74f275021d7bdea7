"""search: the architecture with the most GFLOPs under a hard budget of bytes on disk."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from codewren.budget import Bits, Budget, parse_size
from codewren.run_directory import Run, Step
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json
from codewren_runtime.types import Architecture, TaskKind

if TYPE_CHECKING:
    from codewren.search.result import Formula

__all__ = ["SearchSettings", "read_architecture", "search_architecture"]

ARCHITECTURE = "architecture.json"


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What decides a search; `space` is a name or the path of a TOML file."""

    size: str = "3MB"
    bits: Bits = 8
    space: str = "small"
    formula: Formula = "codewren"
    exhaustive: bool = False
    seed: int = 0

    def budget(self) -> Budget:
        """The hard budget; OptionError if size or bits make none."""
        return Budget(parse_size(self.size), self.bits)


def search_architecture(
    run: Run, settings: SearchSettings, kind: TaskKind, num_labels: int
) -> dict[str, Any]:
    """Write `run/architecture.json` (and search.png) and return what it says."""
    from codewren.search import GeneticSettings, enumerate_space, load_space, plot_search, search

    budget, space = settings.budget(), load_space(settings.space)
    inputs = asdict(settings) | {"space": space.sha256, "kind": kind, "num_labels": num_labels}
    step = Step("search", run.path(ARCHITECTURE), inputs)
    if done := run.finished(step):
        return done
    checkpoint = run.path("search_state.json")
    if run.force:
        checkpoint.unlink(missing_ok=True)
    if settings.exhaustive:
        result = enumerate_space(space, budget, kind, num_labels, formula=settings.formula)
    else:
        genetic = GeneticSettings(seed=settings.seed)
        with run.reporter.step(step.title, genetic.generations) as bar:
            result = search(
                space,
                budget,
                kind,
                num_labels,
                genetic,
                formula=settings.formula,
                on_generation=lambda record: bar.advance(1, f"best {record.best_gflops} GFLOPs"),
                checkpoint=checkpoint,
            )
    plot_search(result, run.path("search.png"))
    done = step.finish(result.to_json())
    checkpoint.unlink(missing_ok=True)
    return done


def read_architecture(run: Run) -> Architecture:
    """The run's architecture; OptionError if search has not run."""
    path = run.path(ARCHITECTURE)
    if not path.is_file():
        raise OptionError(f"{path}: no architecture there; run search first")
    shape = read_json(path).get("architecture")
    if not isinstance(shape, dict):
        raise OptionError(f"{path}: holds no architecture; run search --force")
    return Architecture.from_json(shape)
