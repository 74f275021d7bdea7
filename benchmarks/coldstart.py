"""From a fresh process to its first prediction: wall time, CPU time, resident memory.

    python benchmarks/coldstart.py [run/model.wren …]

Without a bundle, those under models/. Kinds of process take turns, many times: Python alone; with
the three libraries that the runtime needs imported, which no runtime can go below; that loads a
bundle; that predicts once (a pair model: embeds one text). Beside them torch and transformers:
imported; that predict once with the published student's shape, and with CodeBERT's (random
weights, 500 MB of disk while it runs). Each measures itself at its end, wall time from the moment
its parent started it. Modules are byte-compiled, as pip installs them. CPU time is the figure to
compare: wall time grows with whatever else the machine does.

Writes benchmarks/results/coldstart.json, .png and .svg. Memory: Linux.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bundles import random_checkpoint
from codewren.bench.fresh import ALONE, Program, of_bundle, of_checkpoint, summary, take_turns
from codewren.bench.machine import machine
from codewren.kept import KEPT, kept_bundle
from codewren.progress import Silent
from codewren.search.figures import BLUE, GREY, new_figure, save_figure, tidy
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
CODE = "int add(int first, int second) {\n    return first + second;\n}\n"
PUBLISHED = (1_000, 96, 12, 8, 64, 400)
CODEBERT = (50_265, 768, 12, 12, 3_072, 400)
MAX_LENGTH = 400


def programs(bundles: Sequence[Path], folder: Path, *, quick: bool) -> dict[str, Program]:
    """The kinds of process, those without torch first."""
    found = {
        "python": ALONE,
        "libraries": Program("import numpy, onnxruntime, tokenizers\n"),
    }
    for bundle in bundles:
        found[f"{bundle.stem}: load"] = of_bundle(bundle, predict=False)
        found[f"{bundle.stem}: first prediction"] = of_bundle(bundle)
    if quick:
        return found
    imported = "import torch\nfrom transformers import AutoModelForSequenceClassification\n"
    found["torch and transformers imported"] = Program(imported)
    for name, shape in (("published shape", PUBLISHED), ("CodeBERT's shape", CODEBERT)):
        saved = random_checkpoint(folder / name, shape)
        found[f"torch, {name}: first prediction"] = of_checkpoint(str(saved), MAX_LENGTH)
    return found


def draw(rows: Mapping[str, Any], path: Path) -> None:
    figure = new_figure(width=10, height=0.45 * len(rows) + 1.4)
    for axes, key, label in zip(
        figure.subplots(1, 2, sharey=True), ("cpu_ms", "resident_mb"),
        ("CPU ms, median and middle half", "resident MB at the end"), strict=True,
    ):  # fmt: skip
        for at, (name, figures) in enumerate(rows.items()):
            middle, (low, high) = figures[key]["median"], figures[key]["half"]
            colour = GREY if name.startswith("torch") else BLUE
            axes.barh(at, middle, xerr=[[middle - low], [high - middle]], color=colour, height=0.6)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set(xlabel=label)
        axes.invert_yaxis()
        tidy(axes)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundles", type=Path, nargs="*", help="default: the kept models")
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--copies", type=int, default=8, help="of a small function, in the text")
    parser.add_argument("--quick", action="store_true", help="two of each, without torch: runs?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plots")
    given = parser.parse_args()
    repetitions = 2 if given.quick else given.repetitions
    bundles = given.bundles or [kept_bundle(Path(name)) for name in KEPT]
    with tempfile.TemporaryDirectory() as name:
        kinds = programs(bundles, Path(name), quick=given.quick)
        with Silent().step("", 0) as bar:
            reports = take_turns(kinds, given.copies * CODE, repetitions, bar)
        result = {
            "machine": machine(),
            "bundle_bytes": {bundle.stem: bundle.stat().st_size for bundle in bundles},
            "text_characters": given.copies * len(CODE),
            "repetitions": repetitions,
            "reduced": given.quick,
            "processes": {kind: summary(found) for kind, found in reports.items()},
        }
    write_json(given.out / "coldstart.json", result)
    if all("resident_mb" in figures for figures in result["processes"].values()):
        draw(result["processes"], given.out / "coldstart")
    for kind, figures in result["processes"].items():
        values = "  ".join(f"{key} {value['median']:.1f}" for key, value in figures.items())
        print(f"{kind:<42} {values}")


if __name__ == "__main__":
    main()
