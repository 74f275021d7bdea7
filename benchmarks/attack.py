"""How many right answers on real functions fall to other names of local variables.

300 functions of Devign's test set, evenly spread, with the substitutes that ALERT published for
them. The published 3 MB student (CodeBERT, vulnerability) is imported and exported in int8, and
attacked beside every other bundle given. The scores on all rows without an adversary stand beside
that: hardening has its price there. Real data are read from shared/ beside the checkout. Writes one
JSON; with a run directory a killed run goes on, and a model that is added is all that is attacked.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from codewren.attack import from_file
from codewren.data import Dataset, Fields, read_examples
from codewren.progress import Silent
from codewren.run_directory import Run
from codewren.verbs.attack import AttackSettings, attack, open_targets
from codewren.verbs.evaluate import evaluate_bundle
from codewren_runtime.files import write_json
from published import published_bundle

RESULTS = Path(__file__).parent / "results"
DEVIGN = Path(__file__).resolve().parents[2] / "shared" / "data" / "devign"
LABELS = Fields(), ("safe", "vulnerable")


def devign() -> Dataset:
    """The test functions, labelled."""
    return read_examples(DEVIGN / "test_public.jsonl.gz", *LABELS, require_label=True)


def attacked(
    run: Run, bundles: Sequence[Path], data: Dataset, rows: int, queries: int
) -> list[dict[str, Any]]:
    """A row for each bundle: what falls of `rows` functions, and the scores of all, unattacked."""
    source = from_file(DEVIGN / "substitutes_public.jsonl.gz", data, "idx", Fields())
    settings = AttackSettings(queries=queries, rows=rows)
    targets = open_targets(bundles)
    result = attack(run, targets, data, lambda _: source, settings, candidates="ALERT's")
    for row, bundle in zip(result["rows"], bundles, strict=True):
        del row["log"]
        scores = evaluate_bundle(Silent(), bundle, bundle.name, data).scores
        row |= {"model": bundle.name, "clean": asdict(scores)}
    return list(result["rows"])


def print_row(row: dict[str, Any]) -> None:
    print(
        f"| {row['model']} | {100 * row['clean']['accuracy']:.2f} % "
        f"| {100 * row['accuracy']:.1f} % "
        f"| {100 * row['accuracy_under_attack']:.1f} % | {row['flipped']} of {row['right']}: "
        f"{100 * row['success']:.1f} % | {row['attackable']} | {row['queries_mean']:.1f} "
        f"| {row['queries_of_a_flip']:.0f} | {row['names_changed']:.1f} "
        f"| {row['cpu_seconds']:.0f} s |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="*", help="more bundles to attack beside it")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="4 functions, 20 queries")
    parser.add_argument("--run", type=Path, help="keep every outcome here")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    rows, queries = (4, 20) if given.quick else (given.rows, given.queries)
    data = devign()
    if given.quick:
        data = replace(data, examples=data.examples[:rows])
    with tempfile.TemporaryDirectory() as folder:
        run = Run(given.run or Path(folder))
        published = published_bundle(run, "vulnerability", data)
        published = published.rename(published.with_name("published.wren"))
        found = attacked(run, [published, *given.bundles], data, rows, queries)
    for row in found:
        print_row(row)
    write_json(
        given.out / "attack.json", {"data": "Devign test_public", "queries": queries, "rows": found}
    )


if __name__ == "__main__":
    main()
