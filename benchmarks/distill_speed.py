"""Distillation at the published setting: our loop beside the published recipe's, turn by turn.

    python benchmarks/distill_speed.py [--data FILE.jsonl.gz] [--quick]

Both train the same student (vocabulary 1,000, hidden 96, 12 layers, 8 heads, intermediate 64) from
the same soft labels (KL at temperature 10, learning rate 1e-4, batch 16, windows of 400 tokens) in
one process on one thread. The published recipe is written out anew in published_recipe.py: fp32,
every text padded to 400. Ours is `codewren_distill.train.distill` as it ships.

After every few steps of ours the other takes as many, so that both see the same machine; the ratio
of each round is taken by itself. CPU time is the figure to compare where others share the machine.
The teacher is a linear model on character n-grams of the labels in the data (Devign's format), or,
without --data, of whether a function of the standard library raises: what a teacher costs is no
part of this. Both students answer the same held-out functions after the same number of steps.
Utilisation is the arithmetic that the real tokens need (forward and twice that backward), by the
second of CPU, over the best matrix product of this machine in the same precision.

Writes benchmarks/results/distill_speed.json and a table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from codewren.bench.machine import machine
from codewren_distill.devices import precision
from codewren_distill.losses import distillation_loss
from codewren_distill.scoring import encode_all, logits_of
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_distill.student import build_student
from codewren_distill.train import distill
from codewren_distill.training import Progress
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.files import write_json
from codewren_runtime.types import Example
from published_recipe import (
    BATCH,
    PUBLISHED,
    RATE,
    SEED,
    TASK,
    TEMPERATURE,
    PublishedLoop,
    functions,
    needed_flops,
)

RESULTS = Path(__file__).parent / "results"


def teacher(examples: Sequence[Example], pupils: int) -> NDArray[np.float32]:
    """Logits (examples, 2) of a linear model that saw the labels of the first `pupils` rows."""
    texts = [example.text for example in examples]
    seen = TfidfVectorizer(analyzer="char", ngram_range=(3, 4), max_features=20_000)
    features = seen.fit(texts[:pupils]).transform(texts)
    linear = LogisticRegression(C=10.0, max_iter=200)
    linear.fit(features[:pupils], [example.label for example in examples[:pupils]])
    margin = linear.decision_function(features)
    return np.stack([-margin / 2, margin / 2], axis=1).astype(np.float32)


class Turns:
    """Called after each step of ours: every `turn` steps, times both and lets the other train."""

    def __init__(self, other: PublishedLoop, turn: int) -> None:
        self.other, self.turn = other, turn
        self.ours: list[tuple[float, float]] = []  # wall and CPU seconds a round
        self.theirs: list[tuple[float, float]] = []
        self.begin = clock()

    def __call__(self, progress: Progress) -> None:
        """A step of ours is done."""
        if progress.step % self.turn:
            return
        self.ours.append(since(self.begin))
        begin = clock()
        self.other.train(self.turn)
        self.theirs.append(since(begin))
        print(f"  step {progress.step}: CPU s {self.ours[-1][1]:.2f} / {self.theirs[-1][1]:.2f}")
        self.begin = clock()


def clock() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def since(begin: tuple[float, float]) -> tuple[float, float]:
    wall, cpu = clock()
    return wall - begin[0], cpu - begin[1]


def peak(kind: torch.dtype, repetitions: int) -> float:
    """FLOPs a second of CPU of this machine's best square matrix product, of three sizes."""
    best = 0.0
    for side in (512, 1_024, 2_048):
        one, other = (torch.randn(side, side).to(kind) for _ in range(2))
        for _ in range(repetitions):
            best = max(best, 2 * side**3 / max(1e-9, cpu_seconds(lambda a=one, b=other: a @ b)))  # type: ignore[misc]
    return best


def cpu_seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def divergence(logits: NDArray[np.float32], taught: NDArray[np.float32]) -> float:
    """KL from the teacher at the published temperature, times its square."""
    loss = distillation_loss("kl", TEMPERATURE)
    return float(loss(torch.from_numpy(logits), torch.from_numpy(taught)))


def way(rounds: Sequence[tuple[float, float]], steps: int, flops: float, best: float) -> Any:
    """What is reported of one loop; `flops` are those of a mean function."""
    cpu, wall = median(cpu for _, cpu in rounds), median(wall for wall, _ in rounds)
    return {
        "steps_per_cpu_second": round(steps / cpu, 3),
        "steps_per_wall_second": round(steps / wall, 3),
        "functions_per_cpu_second": round(BATCH * steps / cpu, 1),
        "utilisation": round(BATCH * steps * flops / cpu / best, 3),
        "cpu_seconds": [round(cpu, 2) for _, cpu in rounds],
        "wall_seconds": [round(wall, 2) for wall, _ in rounds],
    }


def measure(data: Path | None, rounds: int, turn: int, pupils: int, held: int) -> dict[str, Any]:
    steps = (rounds + 1) * turn  # the first round warms both up and is left out
    pupils = min(pupils, steps * BATCH)
    examples = functions(data, pupils + held)
    pupils = len(examples) - held
    taught = teacher(examples, pupils)
    texts = (example.text for example in examples[:pupils])
    tokenizer = train_tokenizer(texts, PUBLISHED.vocab_size, TASK.normalisation)
    student = build_student(PUBLISHED, TASK, tokenizer, SEED)
    encoded = encode_all(student, examples)
    start = divergence(logits_of(student, examples[pupils:]), taught[pupils:])
    of_epoch = -(-pupils // BATCH)
    epochs = -(-steps // of_epoch)
    targets = torch.from_numpy(taught[:pupils])
    other = PublishedLoop(encoded[:pupils], targets, epochs * of_epoch)
    turns = Turns(other, turn)
    soft = SoftLabels(
        "linear",
        TASK.labels,
        dict(zip(map(example_key, examples[:pupils]), taught[:pupils], strict=True)),
    )
    settings = TrainingSettings(epochs=epochs, batch_size=BATCH, learning_rate=RATE, seed=SEED)
    with tempfile.TemporaryDirectory() as folder:
        distill(student, examples[:pupils], soft, settings, Path(folder), loss="kl",
                temperature=TEMPERATURE, identity="speed", report=turns)  # fmt: skip
    ours, theirs = turns.ours[1:], turns.theirs[1:]
    flops = needed_flops([len(ids) for (ids,) in encoded[:pupils]]) / pupils
    best = {"fp32": peak(torch.float32, 5), "bf16": peak(torch.bfloat16, 5)}
    mine = "bf16" if precision() == "bf16" else "fp32"
    ratios = sorted(b[1] / a[1] for a, b in zip(ours, theirs, strict=True))
    answers = {"published": other.answers(encoded[pupils:]),
               "codewren": logits_of(student, examples[pupils:])}  # fmt: skip
    return {
        "functions": {"trained_on": pupils, "held_out": held,
                      "median_tokens": median(len(ids) for (ids,) in encoded)},
        "rounds": len(ours), "steps_a_round": turn, "precision_of_ours": mine,
        "peak_gflops": {name: round(value / 1e9, 1) for name, value in best.items()},
        "published": way(theirs, turn, flops, best["fp32"]),
        "codewren": way(ours, turn, flops, best[mine]),
        "ratio": {"median": round(median(ratios), 2), "least": round(ratios[0], 2),
                  "most": round(ratios[-1], 2)},
        "held_out_kl": {"untrained": round(start, 4),
                        **{name: round(divergence(logits, taught[pupils:]), 4)
                           for name, logits in answers.items()}},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="Devign's rows, gzip'd JSON lines")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--turn", type=int, default=4, help="steps of each loop in a round")
    parser.add_argument("--quick", action="store_true", help="two rounds of one step")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rounds, turn, held = (2, 1, 16) if given.quick else (given.rounds, given.turn, 256)
    source = "Devign" if given.data else "Python standard library"
    found = measure(given.data, rounds, turn, 1_024, held)
    result = {"machine": machine(), "data": source, "quick": given.quick, **found}
    write_json(given.out / "distill_speed.json", result)
    for name in ("published", "codewren"):
        row = found[name]
        print(
            f"{name:<10} {row['steps_per_cpu_second']:>7.3f} steps/s "
            f"{row['functions_per_cpu_second']:>7.1f} functions/s, "
            f"{row['utilisation']:.1%} of peak, held-out KL {found['held_out_kl'][name]:.4f}"
        )
    ratio = found["ratio"]
    print(f"{ratio['median']:.1f} times as fast ({ratio['least']:.1f} to {ratio['most']:.1f})")


if __name__ == "__main__":
    main()
