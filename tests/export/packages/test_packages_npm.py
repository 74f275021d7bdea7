"""The npm package gives Python's answers, in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewren.kept import KEPT, kept_bundle
from codewren.verbs.package import package
from codewren_export import QUANTS
from codewren_runtime import load

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


def test_damage_is_refused_in_one_line(
    bundle_of: Callable[..., Path],
    npm_package: Callable[[Path], Path],
    installed: Callable[[Path], Path],
) -> None:
    folder = installed(npm_package(bundle_of("single")))
    model = folder / "model" / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    assert _load(folder) == (
        "BundleError: model.onnx is not what the manifest says: damaged, copy it again"
    )
    model.unlink()
    assert "ENOENT" in _load(folder)
    manifest = folder / "model" / "manifest.json"
    changed = json.loads(manifest.read_text()) | {"schema": 3}
    manifest.write_text(json.dumps(changed))
    assert _load(folder) == "BundleError: schema 3 instead of 2: export it again"
    manifest.write_text("{")
    assert _load(folder) == "BundleError: manifest.json is not JSON: copy it again"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"extra": 1}, "extra"),
        ({"long_inputs": "split"}, "long_inputs"),
        ({"decision": {"temperature": 0, "positive": None, "threshold": None}}, "temperature"),
        ({"decision": {"temperature": 1, "positive": "maybe", "threshold": 0.5}}, "positive"),
        ({"files": {}}, "model.onnx"),
    ],
)
def test_a_manifest_that_says_nonsense_is_refused(
    change: dict[str, Any],
    word: str,
    bundle_of: Callable[..., Path],
    npm_package: Callable[[Path], Path],
    installed: Callable[[Path], Path],
) -> None:
    folder = installed(npm_package(bundle_of("single")))
    manifest = folder / "model" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    said = _load(folder)
    assert said.startswith("BundleError: manifest.json")
    assert word in said


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


def _load(folder: Path) -> str:
    code = (
        "import { load } from './index.js';"
        "await load().catch((error) => console.log(`${error.name}: ${error.message}`));"
    )
    return _run(["node", "--input-type=module", "-e", code], folder).strip()


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
