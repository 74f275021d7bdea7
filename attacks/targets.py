"""What is fuzzed: how the n-th input of each kind is made, and what then reads it.

A target's `make` writes an input into a folder, decided by one `Random` alone, and gives what
`read` takes. `read` returns where the input is fine and raises one of `refusals`, in one line,
where it is not; anything else is a finding.
"""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from codewren.data import Fields, read_examples
from codewren_runtime import Model, load
from codewren_runtime._tokenizer_json import check_tokenizer
from codewren_runtime.errors import BundleError, CodewrenError, DataError, ModelError, OptionError
from codewren_runtime.tokenizer import CodeTokenizer
from mutations import mutated_bytes, mutated_graph, mutated_json, mutated_text, odd_text, written
from packing import Parts, rehash, zip_of

__all__ = [
    "FIELDS",
    "KINDS",
    "RECIPE",
    "ROWS",
    "SUFFIXES",
    "WORDS",
    "Target",
    "ask",
    "encode",
    "parts_of",
    "read_data",
    "read_recipe",
    "target",
]


@dataclass(frozen=True)
class Target:
    """One kind of input."""

    make: Callable[[Random, Path], Any]
    read: Callable[[Any], object]
    refusals: tuple[type[CodewrenError], ...]


def target(what: str, good: Sequence[Path]) -> Target:
    """The target called `what`; `good` are bundles to make bad ones from."""
    bundles = [parts_of(path) for path in good]
    if what == "bundles":
        return Target(lambda rng, folder: _bundle(rng, folder, bundles), ask, (BundleError,))
    if what == "tokenizer":
        tokenizers = [parts["tokenizer.json"] for parts in bundles]
        return Target(lambda rng, _: _tokens(rng, tokenizers), encode, (BundleError, ModelError))
    if what == "data":
        return Target(_data, read_data, (DataError, OptionError))
    return Target(_recipe, read_recipe, (OptionError,))


KINDS = ("bundles", "data", "recipes", "tokenizer")


def parts_of(path: Path) -> Parts:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# bundles


def _bundle(rng: Random, folder: Path, good: Sequence[Parts]) -> tuple[Path, str]:
    parts = dict(rng.choice(good))
    graph = rng.choice([name for name in parts if name.endswith(".onnx")])
    match rng.randrange(10):
        case 0 | 1:
            path = zip_of(parts.items(), folder)
            path.write_bytes(mutated_bytes(rng, path.read_bytes()))
            return path, odd_text(rng)
        case 2:
            parts[graph] = mutated_bytes(rng, parts[graph])
        case 3 | 4 | 5:
            parts[graph] = mutated_graph(rng, parts[graph])
        case 6:
            parts["manifest.json"] = _json(rng, parts["manifest.json"])
            return zip_of(parts.items(), folder), odd_text(rng)
        case 7:
            parts["tokenizer.json"] = _json(rng, parts["tokenizer.json"])
        case 8:
            other = rng.choice(good)
            taken = rng.sample(sorted(other), rng.randrange(1, len(other) + 1))
            parts |= {name: other[name] for name in taken}
        case _:
            entries = [(_name(rng, name), data) for name, data in parts.items()]
            entries += rng.sample(entries, rng.randrange(2))
            rng.shuffle(entries)
            return zip_of(entries, folder, rng.choice((0, 8))), odd_text(rng)
    return zip_of(rehash(parts).items(), folder), odd_text(rng)


def _name(rng: Random, name: str) -> str:
    odd = (f"../{name}", f"/{name}", name.upper(), f"{name}\\x", "x" * 300, "weights.pkl", "é.json")
    return rng.choice(odd) if rng.random() < 0.3 else name


def _json(rng: Random, data: bytes) -> bytes:
    if rng.random() < 0.2:
        return mutated_bytes(rng, data)
    return written(mutated_json(rng, json.loads(data)))


def ask(made: tuple[Path, str]) -> None:
    path, text = made
    model: Model = load(path)
    for code in (text, "int f(int a) { return a; }", ""):
        if model.task.kind == "single":
            model.predict(code)
        else:
            model.predict_pair(code, text)


# tokenizers


def _tokens(rng: Random, good: Sequence[bytes]) -> tuple[bytes, list[str]]:
    data = rng.choice(good)
    if rng.random() < 0.6:
        data = _json(rng, data)
    return data, [odd_text(rng) * rng.choice((1, 1, 1, 50)) for _ in range(3)]


def encode(made: tuple[bytes, list[str]]) -> None:
    data, texts = made
    check_tokenizer("tokenizer.json", data, 5_000)
    for mode in ("structure", "published"):
        tokenizer = CodeTokenizer(data.decode(), 48, mode)  # type: ignore[arg-type]
        for text in texts:
            for ids in (tokenizer.encode(text), *tokenizer.windows(text)):
                if not 2 <= len(ids) <= 48 or not 0 <= min(ids) <= max(ids) < 5_000:
                    raise AssertionError(f"{len(ids)} ids from {min(ids)} to {max(ids)}")


# data sets

ROWS: list[dict[str, Any]] = [
    {"func": f"int f{i}(void) {{ return {i}; }}", "target": i % 2, "id": i, "code": f"f{i}();",
     "code1": "a", "code2": "b", "id1": i, "id2": 7 - i}
    for i in range(8)
]  # fmt: skip
FIELDS = (
    Fields(),
    Fields(label="target"),
    Fields(text1="code1", text2="code2", label="target"),
    Fields(id1="id1", id2="id2", label="target", functions=Path("functions.jsonl")),
)
SUFFIXES = (".jsonl", ".jsonl", ".jsonl.gz", ".py", ".c", "")


def _data(rng: Random, folder: Path) -> tuple[Path, Fields, bool, bool]:
    rows = mutated_json(rng, ROWS) if rng.random() < 0.6 else ROWS
    lines = map(written, rows if isinstance(rows, list) else [rows])
    data = b"\n".join(lines) + b"\n" * rng.randrange(2)
    if rng.random() < 0.2:
        data = odd_text(rng).encode("utf-8", "surrogatepass")
    if rng.random() < 0.5:
        data = mutated_bytes(rng, data)
    if rng.random() < 0.3:
        data = gzip.compress(data, mtime=0)
        data = mutated_bytes(rng, data) if rng.random() < 0.7 else data
    path = folder / f"data{rng.choice(SUFFIXES)}"
    path.write_bytes(data)
    fields = rng.choice(FIELDS)
    if fields.id1 is not None:
        functions = folder / "functions.jsonl"
        functions.write_text("\n".join(map(json.dumps, ROWS)))
        fields = replace(fields, functions=rng.choice((functions, path)))
    return path, fields, fields.label is not None, rng.random() < 0.5


def read_data(made: tuple[Path, Fields, bool, bool]) -> None:
    path, fields, require_label, skip = made
    for labels in (None, ("safe", "bad")):
        data = read_examples(path, fields, labels, require_label=require_label, skip_bad_rows=skip)
        for example in data.examples:
            "".join(example.texts).encode()


# recipes

RECIPE = """
seed = 3
control = true
[task]
name = "calls"
kind = "single"
labels = ["safe", "vulnerable"]
normalisation = "structure"
[data]
train = "train.jsonl"
unlabelled = "unlabelled.jsonl"
test = "test.jsonl"
validation = "validation.jsonl"
train_rows = 100
text = "code"
label = "bad"
[search]
size = "200kB"
bits = 8
space = "small"
latency = "5ms"
finalists = 2
[teacher]
dropout = 0.0
epochs = 8
learning_rate = 2e-3
[teacher.architecture]
vocab_size = 320
hidden_size = 32
num_layers = 1
num_heads = 2
intermediate_size = 32
[export]
threshold = "f1"
quant = "int8"
long_inputs = "split-mean"
[distill]
loss = "kl"
temperature = 4.0
epochs = 8
checkpoint_seconds = 0.0
"""
WORDS = ("seed", "epochs", "labels", "architecture", "train", "[data]", "[[task]]", "x.y", '"é"')


def _recipe(rng: Random, folder: Path) -> Path:
    text = mutated_text(rng, RECIPE, WORDS).encode("utf-8", "surrogatepass")
    path = folder / "recipe.toml"
    path.write_bytes(mutated_bytes(rng, text) if rng.random() < 0.2 else text)
    return path


def read_recipe(path: Path) -> None:
    from codewren.recipe import load_recipe

    load_recipe(path)
