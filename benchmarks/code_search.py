"""Code search by docstring: teacher, student, control and TF-IDF on the standard library.

    python benchmarks/code_search.py --teacher DIR [--pooling mean|first] [--seeds N] [--quick]

A query is the first paragraph of a function's docstring, and what it is to find is the function
without its docstring, among all functions of modules that training has not seen. The teacher is
any encoder that transformers can load, as it is. Student and control have one architecture: the
student learns the teacher's cosines between the texts of the training modules, the control which
two texts belong together (InfoNCE), in as many steps. Neither the teacher nor what it was trained
on is part of this project; --quick takes an encoder of random weights, which shows that it runs.

Writes benchmarks/results/code_search.json: the mean of the seeds and each of them.
"""

from __future__ import annotations

import argparse
import ast
import json
import tempfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import mean
from typing import Any

from codewren.bench.machine import machine
from codewren.cli.console import Output
from codewren.demo.functions import source_files, standard_library
from codewren.pipeline import run_recipe
from codewren.recipe import load_recipe
from codewren.run_directory import Run
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"
TEST_SHARE = 10  # one module in so many is held out
MIN_WORDS, MAX_CHARACTERS = 3, 4_000
RECIPE = """
seed = {seed}
[task]
name = "docstring to function"
kind = "embedding"
[data]
train = "train.jsonl"
unlabelled = "train.jsonl"
test = "test.jsonl"
text1 = "docstring"
text2 = "code"
[label]
teachers = [{teacher}]
pooling = "{pooling}"
max_length = 256
[search]
size = "3MB"
space = "space.toml"
[distill]
epochs = {epochs}
batch_size = {batch}
learning_rate = {rate}
"""
SPACE = """
max_length = 200
vocab_size = {vocabulary}
hidden_size = {hidden}
num_layers = {layers}
num_heads = 4
intermediate_size = {intermediate}
"""


def pairs(files: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """File, docstring's first paragraph and function, each docstring and function once."""
    seen: set[str] = set()
    for file in files:
        try:
            tree = ast.parse((standard_library() / file).read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            query = (ast.get_docstring(node) or "").split("\n\n")[0].strip()
            node.body = node.body[1:]
            if len(query.split()) < MIN_WORDS or not node.body:
                continue
            code = ast.unparse(node)
            if len(code) <= MAX_CHARACTERS and not {query, code} & seen:
                seen |= {query, code}
                yield file, query, code


def write_data(folder: Path, limit: int | None) -> dict[str, int]:
    """train.jsonl and test.jsonl, held apart by module; how many rows each has."""
    rows: dict[str, list[str]] = {"train": [], "test": []}
    for file, query, code in pairs(source_files(standard_library())):
        held_out = sha256(file.encode()).digest()[0] % TEST_SHARE == 0
        rows["test" if held_out else "train"].append(
            json.dumps({"docstring": query, "code": code}) + "\n"
        )
    for name, lines in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(lines[:limit]))
    return {name: len(lines[:limit]) for name, lines in rows.items()}


def random_encoder(folder: Path) -> Path:
    """A tiny BERT of random weights with a tokenizer from the training rows."""
    import transformers

    from codewren_distill.vocabulary import train_tokenizer

    lines = (folder / "train.jsonl").read_text().splitlines()
    (folder / "raw.json").write_text(train_tokenizer(lines, 400, "structure"))
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "raw.json"), pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder / "encoder")
    config = transformers.BertConfig(
        vocab_size=400, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=256, pad_token_id=1,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder / "encoder")
    return folder / "encoder"


def once(folder: Path, teacher: Path, arguments: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One seed's report."""
    chosen = {
        "seed": seed, "teacher": json.dumps(str(teacher.resolve())), "pooling": arguments.pooling,
        "epochs": arguments.epochs, "batch": arguments.batch_size, "rate": arguments.learning_rate,
    }  # fmt: skip
    (folder / "recipe.toml").write_text(RECIPE.format(**chosen))
    shape = arguments.shape
    (folder / "space.toml").write_text(
        SPACE.format(vocabulary=shape[0], hidden=shape[1], layers=shape[2], intermediate=shape[3])
    )
    run = Run(folder / f"run{seed}", Output().reporter())
    with run.locked():
        return run_recipe(run, load_recipe(folder / "recipe.toml"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", type=Path, help="folder of an encoder")
    parser.add_argument("--pooling", choices=("mean", "first"), default="mean")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument(
        "--shape", type=int, nargs=4, default=[8000, 192, 2, 384],
        metavar=("VOCABULARY", "HIDDEN", "LAYERS", "INTERMEDIATE"),
    )  # fmt: skip
    parser.add_argument("--work", type=Path, help="keep the runs here; a killed one resumes")
    parser.add_argument("--quick", action="store_true", help="few rows, an untrained teacher")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.epochs, arguments.shape = 1, [400, 32, 1, 32]
    elif arguments.teacher is None:
        parser.error("name the folder of an encoder with --teacher, or give --quick")
    with tempfile.TemporaryDirectory(prefix="codewren-search-") as scratch:
        folder = arguments.work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        counts = write_data(folder, 64 if arguments.quick else None)
        teacher = random_encoder(folder) if arguments.quick else arguments.teacher
        reports = [once(folder, teacher, arguments, seed) for seed in range(arguments.seeds)]
    names = [row["name"] for row in reports[0]["rows"]]
    means = {
        name: {
            key: round(mean(report["rows"][at]["scores"][key] for report in reports), 4)
            for key in reports[0]["rows"][at]["scores"]
        }
        for at, name in enumerate(names)
    }
    settings = {
        name: getattr(arguments, name)
        for name in ("pooling", "epochs", "batch_size", "learning_rate", "shape", "quick")
    }
    data = {"machine": machine(), "rows": counts, "settings": settings, "mean": means}
    write_json(arguments.out / "code_search.json", data | {"seeds": reports})
    for name, scores in means.items():
        print(f"{name:55}", *(f"{key} {value:.3f}" for key, value in scores.items()))


if __name__ == "__main__":
    main()
