"""The genetic search against the certified optimum, and against the published way of searching.

The paper's space (10,944,000 configurations) with the paper's formula, at five budgets. For
each budget: enumeration gives the optimum; then both algorithms run once per seed.

The paper-faithful algorithm is written anew for this comparison. Faithful to the published
one (Shi et al., ASE 2022, section 3.1, and its replication package) are: 50 individuals for
100 generations; fitness GFLOPs - |bytes - budget| / 1e6, a soft penalty that a larger model
may outweigh; parents drawn uniformly, whatever their fitness; one-point crossover of the
genes in alphabetical order with probability 0.6, else mutation that redraws every gene from
a random position on; no duplicates; the best 50 of parents and children survive; the
answer is the fittest at the end.

Writes one JSON and one plot (PNG and SVG); the table goes to the terminal.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from codewren.budget import Budget
from codewren.search import (
    GeneticSettings,
    SearchResult,
    SearchSpace,
    enumerate_space,
    load_space,
    search,
)
from codewren.search.cost import Costs
from codewren.search.figures import BLUE, ORANGE, new_figure, save_figure
from codewren.search.paper import paper_cost
from codewren_runtime.files import write_json

BUDGETS_MB = (1, 3, 10, 25, 50)
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Outcome:
    """Where one run ended."""

    flops: int
    size_bytes: int
    seconds: float


class PaperSearch:
    """The paper's genetic algorithm, as the module's docstring describes it.

    Scores are computed a batch at a time and kept, so that its time is spent on searching.
    """

    POPULATION, GENERATIONS, CROSSOVER = 50, 100, 0.6
    ALPHABETICAL = (3, 1, 4, 2, 0)  # (attention) heads, hidden, intermediate, layers, vocabulary

    def __init__(self, space: SearchSpace, budget: Budget, seed: int) -> None:
        self.space, self.budget, self.rng = space, budget, Random(seed)
        # The paper's five genes; the others have one value each in its space.
        self.lengths = [len(values) for values in space.genes[:5]]

    def run(self) -> tuple[int, int]:
        """FLOPs and bytes of the fittest of the last generation."""
        population: dict[tuple[int, ...], float] = {}
        while len(population) < self.POPULATION:
            genes = tuple(self.rng.randrange(length) for length in self.lengths)
            population |= self.fitness([genes])
        for _ in range(self.GENERATIONS):
            grown = population | self.fitness(self.children(list(population)))
            ranked = sorted(grown.items(), key=lambda item: item[1], reverse=True)
            population = dict(ranked[: self.POPULATION])
        costs = self.costs([next(iter(population))])
        return int(costs.flops[0]), int(costs.size_bytes[0])

    def fitness(self, rows: list[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
        """The soft-penalty fitness of each."""
        costs = self.costs(rows)
        off = np.abs(costs.size_bytes - self.budget.size_bytes)
        return dict(zip(rows, (costs.flops / 1e9 - off / 1e6).tolist(), strict=True))

    def costs(self, rows: list[tuple[int, ...]]) -> Costs:
        """What the paper's formula says of each."""
        columns = np.array(rows).T
        rest = [np.zeros(len(rows), dtype=np.int64)] * (len(self.space.genes) - len(columns))
        return paper_cost(self.space.shapes([*columns, *rest]))

    def children(self, parents: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        """As many distinct children as there are places, none of them a parent."""
        known: set[tuple[int, ...]] = set(parents)
        children: list[tuple[int, ...]] = []
        while len(children) < self.POPULATION:
            pair = [list(genes) for genes in self.rng.sample(parents, 2)]
            if self.rng.random() < self.CROSSOVER:
                for gene in self.ALPHABETICAL[self.rng.randint(1, len(self.lengths) - 1) :]:
                    pair[0][gene], pair[1][gene] = pair[1][gene], pair[0][gene]
            else:
                for genes in pair:
                    self.mutate(genes)
            for genes in pair:
                while tuple(genes) in known:
                    self.mutate(genes)
                known.add(tuple(genes))
                children.append(tuple(genes))
        return children

    def mutate(self, genes: list[int]) -> None:
        """Redraw every gene from a random position on."""
        for gene in range(self.rng.randrange(len(genes)), len(genes)):
            others = [i for i in range(self.lengths[gene]) if i != genes[gene]]
            genes[gene] = self.rng.choice(others)


def timed(run: Callable[[], tuple[int, int]]) -> Outcome:
    start = perf_counter()
    flops, size_bytes = run()
    return Outcome(flops, size_bytes, perf_counter() - start)


def genetic(space: SearchSpace, budget: Budget, seed: int) -> tuple[int, int]:
    settings = GeneticSettings(seed=seed)
    best = search(space, budget, "single", 2, settings, formula="paper").best
    return best.flops, best.size_bytes


def summary(outcomes: list[Outcome], optimum: SearchResult) -> dict[str, Any]:
    """How often the optimum was found and the budget broken, and how long a run took."""
    best, limit = (optimum.best.flops, optimum.best.size_bytes), optimum.budget.size_bytes
    seconds = [outcome.seconds for outcome in outcomes]
    return {
        "seeds": len(outcomes),
        "at_optimum": sum((o.flops, o.size_bytes) == best for o in outcomes),
        "over_budget": sum(o.size_bytes > limit for o in outcomes),
        "seconds_median": median(seconds),
        "seconds_min": min(seconds),
        "seconds_max": max(seconds),
        "largest_bytes": max(o.size_bytes for o in outcomes),
    }


def measure(space: SearchSpace, megabytes: int, seeds: int) -> tuple[dict[str, Any], list[Outcome]]:
    """One budget's row, and where the paper-faithful runs ended."""
    budget = Budget(megabytes * 1_000_000, bits=32)
    start = perf_counter()
    optimum = enumerate_space(space, budget, "single", 2, formula="paper", top=1)
    enumeration = perf_counter() - start
    assert optimum.certificate is not None
    ours = [timed(partial(genetic, space, budget, seed)) for seed in range(seeds)]
    paper = [timed(PaperSearch(space, budget, seed).run) for seed in range(seeds)]
    row = {
        "budget_bytes": budget.size_bytes,
        "optimum": optimum.best.architecture.to_json(),
        "optimum_gflops": optimum.best.gflops,
        "optimum_bytes": optimum.best.size_bytes,
        "configurations": optimum.certificate.configurations,
        "feasible": optimum.certificate.feasible,
        "enumeration_seconds": enumeration,
        "codewren": summary(ours, optimum),
        "paper": summary(paper, optimum),
    }
    return row, paper


def print_row(row: dict[str, Any]) -> None:
    print(
        f"| {row['budget_bytes'] // 1_000_000} MB | {row['optimum_gflops']:.4f} "
        f"| {row['enumeration_seconds']:.2f} s "
        + "".join(
            f"| {s['at_optimum']}/{s['seeds']} | {s['over_budget']}/{s['seeds']} "
            f"| {s['seconds_median']:.2f} ({s['seconds_min']:.2f} to {s['seconds_max']:.2f}) s "
            for s in (row["codewren"], row["paper"])
        )
        + "|",
        flush=True,
    )


def plot(rows: list[dict[str, Any]], ends: list[list[Outcome]], path: Path) -> None:
    """Where each paper-faithful run ended, and shares of seeds at the optimum."""
    figure = new_figure(width=11)
    left, right = figure.subplots(1, 2)
    names = [f"{row['budget_bytes'] // 1_000_000} MB" for row in rows]
    for x, (row, outcomes) in enumerate(zip(rows, ends, strict=True)):
        over = [100 * (o.size_bytes / row["budget_bytes"] - 1) for o in outcomes]
        spread = np.random.default_rng(x).uniform(-0.25, 0.25, len(over))
        label = "paper-faithful GA, one dot a seed" if x == 0 else None
        left.scatter(x + spread, over, s=12, color=ORANGE, alpha=0.5, linewidths=0, label=label)
        ours = 100 * (row["optimum_bytes"] / row["budget_bytes"] - 1)
        label = "certified optimum" if x == 0 else None
        left.plot([x - 0.3, x + 0.3], [ours, ours], color=BLUE, linewidth=2.5, label=label)
    left.axhline(0, color="black", linewidth=0.8)
    left.set_xticks(range(len(names)), names)
    left.set(ylabel="bytes over the budget, %", title="Where the runs end")
    left.legend(frameon=False)
    for offset, key, label, color in (
        (-0.2, "codewren", "codewren", BLUE),
        (0.2, "paper", "paper-faithful GA", ORANGE),
    ):
        shares = [100 * row[key]["at_optimum"] / row[key]["seeds"] for row in rows]
        bars = right.bar(np.arange(len(rows)) + offset, shares, 0.38, color=color, label=label)
        right.bar_label(bars, fmt="%.0f", fontsize=8)
    right.set_xticks(range(len(names)), names)
    right.set(ylabel="seeds at the optimum, %", ylim=(0, 118), title="How often they find it")
    right.legend(frameon=False, ncols=2, loc="upper center")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100, help="runs per algorithm and budget")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plot")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error("--seeds must be at least 1")
    space = load_space("paper")
    print(f"{space.size:,} configurations; at optimum, over budget, time per run\n")
    print("| budget | GFLOPs | enumerated in | codewren | over | time | paper's | over | time |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    rows, ends = [], []
    for megabytes in BUDGETS_MB:
        row, outcomes = measure(space, megabytes, arguments.seeds)
        print_row(row)
        rows.append(row)
        ends.append(outcomes)
    plot(rows, ends, arguments.out / "search.png")
    machine = {"machine": platform.machine(), "python": platform.python_version()}
    data = {"space": space.name, "formula": "paper", **machine, "budgets": rows}
    write_json(arguments.out / "search.json", data)


if __name__ == "__main__":
    main()
