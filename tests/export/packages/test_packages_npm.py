"""The npm package gives Python's answers, in Node."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codewren.kept import KEPT, kept_bundle
from codewren.verbs.package import package
from codewren_export import QUANTS
from codewren_export.pack import file_infos, pack
from codewren_export.packages.contents import model_files
from codewren_runtime import load, read_bundle
from codewren_runtime.bundle import MANIFEST, TOKENIZER
from codewren_runtime.decision import Decision
from codewren_runtime.files import canonical_json

pytestmark = pytest.mark.slow

NAME = "my-model"


@pytest.fixture
def npm_package(tmp_path: Path) -> Callable[[Path], Path]:
    def make(bundle: Path) -> Path:
        package(bundle, "npm", NAME, tmp_path / NAME, "1.2.3", "MIT")
        return tmp_path / NAME

    return make


@pytest.fixture
def in_node(
    npm_package: Callable[[Path], Path],
    installed: Callable[[Path], Path],
    javascript: Callable[[str, dict[str, Any]], Any],
) -> Callable[[Path, list[list[str]]], Any]:
    """The answers of a bundle's package for rows of texts."""

    def run(bundle: Path, rows: list[list[str]]) -> Any:
        folder = installed(npm_package(bundle))
        return javascript("answers.mjs", {"package": str(folder), "rows": rows})

    return run


@pytest.mark.parametrize("source", ["functions", "shared_functions"])
def test_a_thousand_functions_are_judged_as_in_python(
    source: str,
    request: pytest.FixtureRequest,
    bundle_of: Callable[..., Path],
    in_node: Callable[..., Any],
    same: Callable[..., None],
) -> None:
    rows = [[text] for text in request.getfixturevalue(source)]
    assert len(rows) >= 1_000
    bundle = bundle_of("single")
    same(in_node(bundle, rows), bundle, rows)


@pytest.mark.parametrize("quant", QUANTS)
def test_every_precision_is_judged_as_in_python(
    quant: str,
    bundle_of: Callable[..., Path],
    in_node: Callable[..., Any],
    same: Callable[..., None],
    functions: list[str],
) -> None:
    rows = [[text] for text in functions[:100]]
    bundle = bundle_of("single", quant=quant)
    same(in_node(bundle, rows), bundle, rows)


@pytest.mark.parametrize(
    ("kind", "long_inputs", "adds_space", "normalisation"),
    [
        ("single", "truncate", False, "structure"),
        ("single", "truncate", True, "published"),
        ("single", "truncate", False, "raw"),
        ("single", "truncate", False, "nameless"),
        ("single", "split-mean", False, "nameless"),
        ("single", "split-mean", True, "structure"),
        ("single", "split-max", False, "words"),
        ("pair", "truncate", False, "words"),
        ("pair", "split-mean", False, "published"),
    ],
)
def test_odd_and_long_texts_are_judged_as_in_python(
    *,
    kind: str,
    long_inputs: str,
    adds_space: bool,
    normalisation: str,
    bundle_of: Callable[..., Path],
    in_node: Callable[..., Any],
    same: Callable[..., None],
    as_rows: Callable[..., list[list[str]]],
    odd_texts: list[str],
    functions: list[str],
) -> None:
    bundle = bundle_of(kind, long_inputs, adds_space=adds_space, normalisation=normalisation)
    long = ["\n".join(functions[at : at + 12]) for at in range(0, 120, 12)]
    longest = [
        "x" * 30_000,
        "{" * 30_000 + "}",
        " " * 30_000 + "a",
        "漢" * 3_000,
        "\U0001f426" * 999,
    ]
    rows = as_rows([*odd_texts, *functions[:50], *long, *longest], kind)
    same(in_node(bundle, rows), bundle, rows)


@pytest.mark.parametrize("name", KEPT)
def test_the_kept_models_answer_as_in_python(
    name: str,
    in_node: Callable[..., Any],
    same: Callable[..., None],
    as_rows: Callable[..., list[list[str]]],
    functions: list[str],
    odd_texts: list[str],
) -> None:
    bundle = kept_bundle(Path(name))
    rows = as_rows([*functions[:150], *odd_texts[:50]], load(bundle).task.kind)
    rows += [[texts[0]] * len(texts) for texts in rows[:50]]  # a clone, if it is one of a pair
    same(in_node(bundle, rows), bundle, rows)


@pytest.mark.parametrize("kind", ["single", "pair", "embedding"])
def test_the_package_passes_its_own_test_and_is_typed(
    kind: str,
    bundle_of: Callable[..., Path],
    npm_package: Callable[[Path], Path],
    installed: Callable[[Path], Path],
) -> None:
    folder = installed(npm_package(bundle_of(kind)))
    done = _run(["node", "--test", "--test-reporter=tap", "test/test.js"], folder)
    assert "# fail 0" in done
    assert "# pass 7" in done
    consumer = folder.parents[1] / "consumer.mts"
    shutil.copyfile(Path(__file__).parent / "js" / "consumer.ts", consumer)
    options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"]
    _run(["node", "node_modules/typescript/bin/tsc", *options, consumer.name], consumer.parent)


def _flip(model: Path) -> None:
    data = bytearray((model / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (model / "model.onnx").write_bytes(data)


def _forge(name: str, data: bytes) -> Callable[[Path], None]:
    """A part replaced, and a manifest that tells the truth about it."""

    def forge(model: Path) -> None:
        (model / name).write_bytes(data)
        manifest = json.loads((model / "manifest.json").read_text())
        manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        (model / "manifest.json").write_bytes(canonical_json(manifest))

    return forge


def _say(**fields: object) -> Callable[[Path], None]:
    """A manifest with other fields."""

    def change(model: Path) -> None:
        manifest = json.loads((model / "manifest.json").read_text()) | fields
        (model / "manifest.json").write_bytes(canonical_json(manifest))

    return change


OTHER = "manifest.json is not the one that this package was made with"
TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of the weights": (_flip, "model.onnx is not what the manifest says"),
    "weights cut short": (
        lambda model: os.truncate(model / "model.onnx", 1000),
        "model.onnx is not what the manifest says",
    ),
    "a terabyte of holes": (
        lambda model: os.truncate(model / "model.onnx", 1 << 40),
        "has more than",
    ),
    "a huge manifest": (
        lambda model: (model / "manifest.json").write_bytes(b" " * 10**8),
        "has more than",
    ),
    "no JSON": (lambda model: (model / "manifest.json").write_text("{"), OTHER),
    "another threshold": (
        _say(decision={"temperature": 1, "positive": None, "threshold": None, "calibration": {}}),
        OTHER,
    ),
    "other labels": (_say(task={"kind": "single", "labels": ["yes", "no"]}), OTHER),
    "another schema": (_say(schema=3), OTHER),
    "fewer files": (_say(files={}), OTHER),
    "forged weights": (_forge("model.onnx", b"evil"), "manifest.json"),
    "a forged tokenizer": (_forge("tokenizer.json", b"{}"), "manifest.json"),
    "a head more": (_forge("head.onnx", b"evil"), "manifest.json"),
    "a tokenizer that is not there": (
        lambda model: (model / "tokenizer.json").unlink(),
        "ENOENT",
    ),
}


@pytest.mark.parametrize("where", ["in the package", "at another place"])
def test_a_package_takes_the_model_that_was_checked_and_no_other(
    where: str,
    bundle_of: Callable[..., Path],
    npm_package: Callable[[Path], Path],
    installed: Callable[[Path], Path],
    tmp_path: Path,
) -> None:
    folder = installed(npm_package(bundle_of("single")))
    model, base = folder / "model", ""
    if where == "at another place":
        model = Path(shutil.copytree(model, tmp_path / "elsewhere"))
        base = f"{model.as_uri()}/"
    good = {path.name: path.read_bytes() for path in model.iterdir()}
    said = {}
    for name, (tamper, _) in TAMPERED.items():
        tamper(model)
        said[name] = _load(folder, base)
        for path in model.iterdir():
            path.unlink()
        for entry, data in good.items():
            (model / entry).write_bytes(data)
    assert _load(folder, base) == "answered"
    assert not list(tmp_path.rglob("*.db"))  # of onnxruntime's telemetry
    for name, (_, expected) in TAMPERED.items():
        assert expected in said[name], name
        assert said[name].startswith("Error: ENOENT" if expected == "ENOENT" else "BundleError: ")
        assert "\n" not in said[name]


def test_a_model_with_names_of_javascript_is_judged_as_in_python(
    bundle_of: Callable[..., Path],
    npm_package: Callable[[Path], Path],
    installed: Callable[[Path], Path],
    tmp_path: Path,
) -> None:
    """Labels and tokens that objects of JavaScript have of their own."""
    bundle = read_bundle(bundle_of("single"))
    tokenizer = json.loads(bundle.tokenizer_json)
    vocabulary = tokenizer["model"]["vocab"]
    merged = {"".join(pair) for pair in tokenizer["model"]["merges"]}
    tokens = ("__proto__", "constructor", "toString", "hasOwnProperty")
    for token, old in zip(tokens, reversed(list(vocabulary)), strict=False):
        assert old in merged
        vocabulary[token] = vocabulary.pop(old)
    kept = [pair for pair in tokenizer["model"]["merges"] if "".join(pair) in vocabulary]
    tokenizer["model"]["merges"] = kept
    parts = model_files(bundle) | {TOKENIZER: json.dumps(tokenizer).encode()}
    del parts[MANIFEST]
    task = replace(bundle.manifest.task, labels=("__proto__", "constructor"))
    manifest = replace(
        bundle.manifest, task=task, decision=Decision(), files=file_infos(parts)
    ).to_json()
    path = tmp_path / "odd.wren"
    path.write_bytes(pack(manifest, parts))
    folder = installed(npm_package(path))
    text = "__proto__ constructor.toString(hasOwnProperty) {}"
    code = (
        "import { load } from './index.js'; const model = await load();"
        f"const {{ label, probability, probabilities }} = await model.predict({json.dumps(text)});"
        "console.log(JSON.stringify([label, probability, Object.entries(probabilities),"
        " {}.polluted === undefined && Object.keys(Object.prototype).length]));"
    )
    label, probability, probabilities, added = json.loads(
        _run(["node", "--input-type=module", "-e", code], folder)
    )
    wanted = load(path).predict(text)
    assert (label, added) == (wanted.label, 0)
    assert probability == pytest.approx(wanted.probability, abs=1e-4)
    assert dict(probabilities) == pytest.approx(dict(wanted.probabilities), abs=1e-4)


def test_many_questions_at_once_are_answered_as_one_by_one(
    bundle_of: Callable[..., Path],
    npm_package: Callable[[Path], Path],
    installed: Callable[[Path], Path],
) -> None:
    folder = installed(npm_package(bundle_of("single")))
    code = (
        "import { load } from './index.js'; const model = await load();"
        "const texts = Array.from({ length: 40 }, (_, i) => `int f${i}(void);`.repeat(i));"
        "const together = await Promise.all(texts.map((text) => model.predict(text)));"
        "for (const [i, text] of texts.entries())"
        "  if ((await model.predict(text)).probability !== together[i].probability) throw text;"
    )
    _run(["node", "--input-type=module", "-e", code], folder)


def _load(folder: Path, base: str = "") -> str:
    code = (
        "import { load } from './index.js';"
        f"await load({{ base: {json.dumps(base)} }})"
        ".then((model) => model.predict('f(x)'))"
        ".then(() => console.log('answered'),"
        " (error) => console.log(`${error.name}: ${error.message}`));"
    )
    return _run(["node", "--input-type=module", "-e", code], folder).strip()


def _run(command: list[str], folder: Path) -> str:
    environment = {name: os.environ[name] for name in os.environ if "TELEMETRY" not in name}
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment | {"HOME": str(folder.parent)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
