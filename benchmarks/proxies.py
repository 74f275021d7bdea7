"""Does a proxy of capacity predict quality? The paper's premise, tested on a real task.

    python benchmarks/proxies.py --pairs train.jsonl.gz --held-out valid.jsonl.gz \
        --functions functions.jsonl.gz [--seeds 3] [--random 6] [--rows 3000] [--epochs 2]

Trains, from scratch on the same labelled pairs (BigCloneBench's form: id1, id2, label), the
architecture of most GFLOPs under 1 MB at 8 bits, the one of most parameters, the one of most
GFLOPs under a third of the first one's latency, and random feasible ones. Each with every
seed. Reports accuracy on held-out pairs, measured milliseconds and bytes, and the rank
correlation of each proxy with accuracy; majority class and linear model beside them.

Finished trials are kept in --work and do not run again. Needs a latency model of this CPU
(compress calibrate). Writes benchmarks/results/proxies.json, .png and .svg.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import mean, stdev
from typing import Any

from codewren.baselines import majority, tfidf_linear
from codewren.budget import Budget
from codewren.data import Fields, read_examples
from codewren.finalists.correlation import rank_correlations
from codewren.finalists.halving import trials_of
from codewren.finalists.trial import Trial, TrialData
from codewren.finalists.workers import open_executor
from codewren.latency.measure import Probe, bundle_of, least, source_text
from codewren.latency.store import load_model
from codewren.search import SearchSpace, load_space, search
from codewren.search.cost import Timing
from codewren.search.figures import BLUE, GREY, ORANGE, new_figure, save_figure, tidy
from codewren.search.operators import random_individual
from codewren.search.ranking import pose
from codewren.search.result import Candidate
from codewren_distill.settings import TrainingSettings
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.errors import OptionError
from codewren_runtime.files import sha256_of, write_json
from codewren_runtime.types import Example, Task

RESULTS = Path(__file__).parent / "results"
TASK = Task("clones", "pair", ("different", "clone"))
BUDGET = Budget(1_000_000, 8)
CHARACTERS, LENGTH, FULL_ENOUGH = 950, 128, 0.6


def rows(path: Path, functions: Path, count: int, seed: int) -> tuple[Example, ...]:
    """A seeded sample of labelled pairs."""
    fields = Fields(label="label", id1="id1", id2="id2", functions=functions)
    data = read_examples(path, fields, TASK.labels, require_label=True)
    chosen = Random(seed).sample(list(data.examples), min(count, len(data.examples)))
    return tuple(chosen)


def contestants(space: SearchSpace, timing: Timing, count: int) -> dict[str, Candidate]:
    """By name: the winner by each rule, and random architectures that use the budget."""
    ask = (space, BUDGET, "pair", 2)
    most = search(*ask, proxy="flops", timing=timing).best  # type: ignore[arg-type]
    assert most.latency_ms is not None
    quick = Budget(BUDGET.size_bytes, 8, round(most.latency_ms / 3, 3))
    found = {
        "most GFLOPs": most,
        "most parameters": search(*ask, proxy="parameters", timing=timing).best,  # type: ignore[arg-type]
        "most GFLOPs in a third of the time": search(
            space, quick, "pair", 2, proxy="flops", timing=timing
        ).best,
    }
    problem = pose(space, BUDGET, "pair", 2, timing=timing)
    rng = Random(0)
    while len(found) < 3 + count:
        candidate = problem.candidate(space.architecture(random_individual(space, rng)))
        share = candidate.size_bytes / BUDGET.size_bytes
        if FULL_ENOUGH <= share <= 1 and candidate.flops <= most.flops:
            found[f"random {len(found) - 2}"] = candidate
    return found


def milliseconds(candidate: Candidate, texts: list[str]) -> float:
    """Measured median of a pair of texts of about `CHARACTERS` characters, one core."""
    vocabulary = candidate.architecture.vocab_size
    bundle = bundle_of(
        candidate.architecture, "pair", train_tokenizer(texts, vocabulary, "structure")
    )
    probe = Probe(bundle, source_text(), 0)
    taken = least(probe.measure() for _ in range(3))
    return 2 * next(m.milliseconds for m in taken if m.characters == CHARACTERS)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Accuracy by GFLOPs and by measured milliseconds."""
    figure = new_figure(width=11)
    for axes, key, label in zip(
        figure.subplots(1, 2), ("gflops", "measured_ms"), ("GFLOPs of a pair", "measured ms"),
        strict=True,
    ):  # fmt: skip
        for row in rows:
            colour = GREY if row["name"].startswith("random") else BLUE
            colour = ORANGE if row["name"] == "most GFLOPs" else colour
            axes.errorbar(
                row[key], 100 * row["accuracy"], 100 * row["spread"], fmt="o", color=colour
            )
            if colour != GREY:
                axes.annotate(row["name"], (row[key], 100 * row["accuracy"]), fontsize=8,
                              xytext=(4, 6), textcoords="offset points")  # fmt: skip
        axes.set(xlabel=label, ylabel="accuracy on held-out pairs, %", xscale="log")
        tidy(axes)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    for name in ("pairs", "held-out", "functions"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("proxies-work"))
    for name, default in (("seeds", 3), ("random", 6), ("rows", 3_000), ("epochs", 2), ("jobs", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    model = load_model()
    if model is None:
        raise OptionError("no latency model of this CPU: run compress calibrate")
    train = rows(given.pairs, given.functions, given.rows, 0)
    held_out = rows(given.held_out, given.functions, 1_500, 0)
    named = sha256_of([[*map(str, e.texts), e.label] for e in (*train, *held_out)])
    data = TrialData(TASK, train, held_out, named)
    # As in the paper: every layer has weights of its own, and so has every token.
    space = replace(
        load_space("wide"), max_length=(LENGTH,), embedding_size=(0,), shared_layers=(1,)
    )
    found = contestants(space, model.timing(CHARACTERS), given.random)
    trials = {
        (name, seed): Trial(
            candidate.architecture,
            TrainingSettings(epochs=given.epochs, seed=seed),
        )
        for seed in range(given.seeds)
        for name, candidate in found.items()
    }
    with open_executor(given.jobs) as executor:
        results = trials_of(
            list(trials.values()), data, executor, given.work,
            lambda trial, result: print(trial.architecture, result, flush=True),
        )  # fmt: skip
    texts = [text for example in train for text in example.texts]
    table = []
    for name, candidate in found.items():
        scores = [results[trials[name, seed]].accuracy for seed in range(given.seeds)]
        table.append({
            "name": name,
            "architecture": candidate.architecture.to_json(),
            "gflops": candidate.gflops,
            "parameters": candidate.parameters,
            "size_bytes": candidate.size_bytes,
            "predicted_ms": candidate.latency_ms,
            "measured_ms": round(milliseconds(candidate, texts), 3),
            "accuracies": scores,
            "accuracy": round(mean(scores), 5),
            "spread": round(stdev(scores), 5) if len(scores) > 1 else 0.0,
        })  # fmt: skip
    quality = [row["accuracy"] for row in table]
    measured = [
        replace(c, latency_ms=r["measured_ms"]) for c, r in zip(found.values(), table, strict=True)
    ]
    baselines = {
        "majority": majority(train, held_out).scores.accuracy,
        "TF-IDF linear": tfidf_linear(train, held_out, "pair", 0).scores.accuracy,
    }
    report = {
        "train_pairs": len(train), "held_out_pairs": len(held_out), "epochs": given.epochs,
        "seeds": given.seeds, "length": LENGTH, "cpu": model.cpu, "architectures": table,
        "rank_correlation_with_accuracy": rank_correlations(measured, quality),
        "baselines": baselines,
    }  # fmt: skip
    write_json(RESULTS / "proxies.json", report)
    draw(table, RESULTS / "proxies")
    for row in sorted(table, key=lambda row: -row["accuracy"]):
        accuracy = f"{100 * row['accuracy']:.2f} ± {100 * row['spread']:.2f} %"
        costs = f"{row['gflops']:.3f} GFLOPs  {row['measured_ms']:.2f} ms  {row['size_bytes']:,} B"
        print(f"{row['name']:36} {accuracy}  {costs}")
    print(report["rank_correlation_with_accuracy"], baselines)


if __name__ == "__main__":
    main()
