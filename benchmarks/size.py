"""How many bytes does an answer need on disk: the model, its libraries, and what those need?

    python benchmarks/size.py [--models FOLDER]

Bundles (of `--models`, and one of random weights) with the runtime's libraries, beside
CodeBERT's shape and the published student with torch and transformers, static embeddings with
numpy and tokenizers, and a linear model with scikit-learn. Sizes of libraries are those of what
is installed here, without byte code and without Python itself; every byte that pip brings along
counts.

Writes benchmarks/results/size.json, .png and .svg.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundles import random_bundle
from codewren.bench.install import RUNTIME, TORCH, installed
from codewren.bench.machine import machine
from codewren.search.cost import count_parameters
from codewren.search.figures import BLUE, GREY, ORANGE, new_figure, save_figure, tidy
from codewren_runtime.files import write_json
from latency import MODELS
from peers import CODEBERT, PUBLISHED, STATIC_VOCABULARY, STATIC_WIDTH

RESULTS = Path(__file__).parent / "results"
FP32 = 4
LINEAR_COLUMNS = 2 * (1 << 16) + 1  # frequencies, coefficients and an intercept


def rows(models: Path) -> dict[str, dict[str, Any]]:
    """Each with the bytes of its model and of what it needs."""
    runtime = installed(RUNTIME, runtime=True)
    torch = installed(TORCH, runtime=False)
    with tempfile.TemporaryDirectory() as folder:
        random = random_bundle(Path(folder) / "random.wren").stat().st_size
    bundles = {path.name: path.stat().st_size for path in sorted(models.glob("*.wren"))}
    static = FP32 * STATIC_WIDTH * (STATIC_VOCABULARY + 2)
    return {
        **{
            name: {"model_bytes": size, **runtime}
            for name, size in {**bundles, "a bundle of random weights": random}.items()
        },
        **{
            f"{name}, torch": {"model_bytes": FP32 * count_parameters(shape, "single", 2), **torch}
            for name, shape in {
                "CodeBERT's shape": CODEBERT, "published 3 MB student": PUBLISHED
            }.items()
        },
        "model2vec": {"model_bytes": static, **installed(("model2vec",), runtime=False)},
        "TF-IDF linear": {
            "model_bytes": FP32 * LINEAR_COLUMNS, **installed(("scikit-learn",), runtime=False)
        },
    }  # fmt: skip


def draw(found: Mapping[str, Any], path: Path) -> None:
    figure = new_figure(width=9, height=0.45 * len(found) + 1.4)
    axes = figure.subplots()
    for at, row in enumerate(found.values()):
        parts = (row["model_bytes"], row["needed_bytes"],
                 row["with_dependencies_bytes"] - row["needed_bytes"])  # fmt: skip
        left = 0.0
        for part, colour, label in zip(
            parts, (ORANGE, BLUE, GREY), ("model", "libraries", "what those need"), strict=True
        ):
            axes.barh(at, part / 1e6, left=left, color=colour, label=label if at == 0 else None)
            left += part / 1e6
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set(xlabel="MB on disk")
    axes.legend(frameon=False)
    tidy(axes)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of bundles of ours")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for JSON and plots")
    given = parser.parse_args()
    result = {"machine": machine(), "rows": rows(given.models)}
    write_json(given.out / "size.json", result)
    draw(result["rows"], given.out / "size")
    for name, row in result["rows"].items():
        print(f"{name:<32} model {row['model_bytes']:>11,}  libraries {row['needed_bytes']:>13,}  "
              f"with what they need {row['with_dependencies_bytes']:>13,}")  # fmt: skip


if __name__ == "__main__":
    main()
