"""What feeding attacks back into distillation does for a model, and what it costs.

The recipe of the kept vulnerability model on part of Devign, and students of it that were taught

    copies        a rewriting of every row, too: other names, layout, comments, dead code
    adversarial   renamings that overturn the base model's answers, of some rows
    both          copies and adversarial rows
    nameless      text without the names of variables (recipes/vulnerability-c-hardened.toml)

A rewriting has the soft label of its original. Every bundle is attacked by renaming, as in
benchmarks/attack.py, and scored on all test rows without an adversary: hardening has its price
there. Adversarial rows are renamed by names near in the model's own embeddings, the attack of the
test functions takes ALERT's substitutes.

    python benchmarks/hardening.py [--seeds N] [--rows N] [--attacked N] [--quick]

Writes benchmarks/results/hardening.json; what a killed run had finished is not done again. Needs
Devign in shared/ beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from attack import LABELS, attacked, devign
from codewren.attack.neighbours import from_embeddings
from codewren.bench.machine import machine
from codewren.cli.console import Output
from codewren.data import Fields, read_examples
from codewren.data.jsonl import raw_rows_of
from codewren.pipeline import run_recipe, sample
from codewren.progress import Reporter
from codewren.recipe import Recipe, load_recipe
from codewren.run_directory import Run
from codewren.target import open_target
from codewren.verbs.augment import AugmentSettings, Opponent, augment
from codewren.verbs.export import BUNDLE
from codewren_runtime.errors import GateError
from codewren_runtime.files import write_bytes, write_json
from tables import over_seeds

ROOT = Path(__file__).resolve().parents[1]
BASE, NAMELESS = "vulnerability-c.toml", "vulnerability-c-hardened.toml"
FUNCTIONS, QUERIES = 300, 100
SHOWN = 50  # for the report of each run, which nothing here reads
SCORES = ("accuracy", "f1", "auc")

Rows = Callable[[Path], None]


class Seed:
    """The students of one seed, each in a folder of its own beside the rows that it learns."""

    def __init__(self, folder: Path, seed: int, reporter: Reporter, counts: tuple[int, int]):
        self.folder, self.seed, self.reporter = folder, seed, reporter
        self.rows, self.attacked = counts
        self.train = self._made("train.jsonl", self._sample)

    def recipe(self, name: str, taught: Path | None = None) -> Recipe:
        """A kept model's recipe on this seed's rows; `taught` are those of the student."""
        recipe = load_recipe(ROOT / "recipes" / name)
        data = replace(
            recipe.data, train=self.train, unlabelled=taught or self.train, validation=None,
            test_rows=SHOWN,
        )  # fmt: skip
        return replace(
            recipe, data=data, control=False, seed=self.seed,
            search=replace(recipe.search, seed=self.seed),
            teacher_training=replace(recipe.teacher_training, seed=self.seed),
            training=replace(recipe.training, seed=self.seed),
        )  # fmt: skip

    def bundles(self) -> dict[str, Path]:
        """The bundle of each arm."""
        base = self._bundle("base", self.recipe(BASE))
        made = {"base": base}
        copies = self._made("copies.jsonl", self._copies)
        fooling = self._made("adversarial.jsonl", lambda out: self._adversarial(out, base))
        taught = {"copies": [copies], "adversarial": [fooling], "both": [copies, fooling]}
        for arm, files in taught.items():
            rows = self._made(
                f"taught {arm}.jsonl", lambda out, files=files: join([self.train, *files], out)
            )
            made[arm] = self._bundle(arm, self.recipe(BASE, rows), start=base.parent)
        return made | {"nameless": self._bundle("nameless", self.recipe(NAMELESS))}

    def _bundle(self, arm: str, recipe: Recipe, start: Path | None = None) -> Path:
        """An arm's bundle; what it has in common with the run `start` is not made again.

        One that fails a gate of export is attacked as it is: a line says so.
        """
        folder = self.folder / arm
        if start is not None and not folder.exists():
            shutil.copytree(start, folder)
        run = Run(folder, self.reporter)
        made = BUNDLE
        with run.locked():
            try:
                run_recipe(run, recipe)
            except GateError as error:
                print(error)
                made = f"{BUNDLE}.failed"
        return Path(shutil.copy(run.path(made), run.path(f"{arm}.wren")))

    def _made(self, name: str, make: Rows) -> Path:
        path = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            part = path.with_name(f"part of {name}")
            make(part)
            part.rename(path)
        return path

    def _sample(self, out: Path) -> None:
        whole = load_recipe(ROOT / "recipes" / BASE).data.train
        drawn = sample(read_examples(whole, *LABELS, require_label=True), self.rows, self.seed)
        lines = (json.dumps(row) for row in raw_rows_of(drawn, Fields()))
        write_bytes(out, "".join(f"{line}\n" for line in lines).encode())

    def _copies(self, out: Path) -> None:
        data = read_examples(self.train, Fields(), None, require_label=False)
        augment(self.reporter, data, Fields(), out, AugmentSettings(1, self.seed))
        keep_rewritten(out)

    def _adversarial(self, out: Path, base: Path) -> None:
        """Of the first rows, in the order of the file, what fools the base model."""
        data = read_examples(self.train, Fields(), None, require_label=False)
        data = replace(data, examples=data.examples[: self.attacked])
        opponent = Opponent(open_target(base), from_embeddings(base), QUERIES)
        augment(self.reporter, data, Fields(), out, AugmentSettings(0, self.seed), opponent)
        keep_rewritten(out)


def keep_rewritten(path: Path) -> None:
    """Of augmented rows the rewritings alone."""
    lines = path.read_text().splitlines()
    kept = [line for line in lines if "rewritten_from" in json.loads(line)]
    write_bytes(path, "".join(f"{line}\n" for line in kept).encode())


def join(files: Sequence[Path], out: Path) -> None:
    write_bytes(out, b"".join(file.read_bytes() for file in files))


def summary(seeds: Sequence[Sequence[dict[str, Any]]], counts: dict[str, int]) -> Any:
    """Each arm over seeds, and what its scores are more than the base's, seed by seed."""
    table = {}
    for rows in zip(*seeds, strict=True):
        name = Path(rows[0]["model"]).stem
        pairs = [(row["clean"], seed[0]["clean"]) for row, seed in zip(rows, seeds, strict=True)]
        table[name] = {
            "success": over_seeds([row["success"] for row in rows]),
            "flipped": sum(row["flipped"] for row in rows),
            "right": sum(row["right"] for row in rows),
            **{figure: over_seeds([own[figure] for own, _ in pairs]) for figure in SCORES},
            "cost": over_seeds([base["accuracy"] - own["accuracy"] for own, base in pairs]),
        }
    return {**counts, "seeds": len(seeds), "arms": table}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=8_000, help="of the training rows")
    parser.add_argument("--attacked", type=int, default=2_000, help="of these, to be attacked")
    parser.add_argument("--quick", action="store_true", help="a few hundred rows, one seed")
    parser.add_argument("--runs", type=Path, default=ROOT / "run" / "hardening")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    given = parser.parse_args()
    seeds, counts = given.seeds, (given.rows, given.attacked)
    functions, queries, data = FUNCTIONS, QUERIES, devign()
    if given.quick:
        seeds, counts, functions, queries = 1, (200, 40), 4, 20
        data = replace(data, examples=data.examples[:40])
    given.out.mkdir(parents=True, exist_ok=True)
    output, found = Output(json=False, quiet=False), list[list[dict[str, Any]]]()
    for seed in range(seeds):
        folder = given.runs / f"{seed}"
        bundles = Seed(folder, seed, output.reporter(), counts).bundles()
        run = Run(folder / "attack", output.reporter())
        found.append(attacked(run, list(bundles.values()), data, functions, queries))
        size = {"rows": counts[0], "attacked": counts[1], "functions": functions}
        table = summary(found, size | {"queries": queries})
        write_json(given.out / "hardening.json", {"machine": machine(), **table})
        for name, row in table["arms"].items():
            print(
                f"{name:12} {row['flipped']} of {row['right']} fall: {row['success']['mean']:.1%}; "
                f"accuracy {row['accuracy']['mean']:.2%}, {row['cost']['mean']:+.2%} lost"
            )


if __name__ == "__main__":
    main()
