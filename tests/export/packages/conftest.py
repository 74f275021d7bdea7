"""Bundles of a realistic shape, texts to judge, and what runs JavaScript."""

from __future__ import annotations

import gzip
import json
import math
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from codewren.demo.functions import collect, source_files, standard_library
from codewren_distill.vocabulary import train_tokenizer
from codewren_export import Exportable, export_bundle
from codewren_export.pack import file_infos, pack
from codewren_export.packages.contents import model_files
from codewren_export.packages.node_modules import node_modules
from codewren_export.quantise import Quant
from codewren_runtime import load, read_bundle
from codewren_runtime.bundle import MANIFEST, TOKENIZER
from codewren_runtime.decision import Decision, LongInputs
from codewren_runtime.errors import GateError, OptionError
from codewren_runtime.types import Architecture, Normalisation, TaskKind

JS = Path(__file__).parent / "js"
ENOUGH = 1_000
SHAPE = Architecture(2_000, 128, 2, 2, 192, 200)

MakeBundle = Callable[..., Path]
Rows = list[list[str]]


@pytest.fixture(scope="session")
def functions() -> list[str]:
    """Real functions from this Python's library."""
    root = standard_library()
    found = collect(root, source_files(root), ENOUGH)
    return [function.text for file in found.by_file for function in file][:ENOUGH]


@pytest.fixture(scope="session")
def shared_functions() -> list[str]:
    """As many real functions in C and Java."""
    data = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not data.is_dir():
        pytest.skip(f"{data} is absent: real data sets are not here")
    found: list[str] = []
    for name, field in (("c", "func"), ("java", "code")):
        with gzip.open(data / "unlabelled" / f"{name}.jsonl.gz") as lines:
            found += [json.loads(line)[field] for line in islice(lines, ENOUGH // 2)]
    return found


@pytest.fixture(scope="session")
def odd_texts() -> list[str]:
    """What the two languages might see differently, at random and the same each time."""
    rng = random.Random(0)
    pieces = [
        *" \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u2029\u3000\ufeff\u200b\0",
        # A high surrogate never stands before a low one: in JavaScript the two are a character.
        "\r\n", "    ", "\t\t", "</s>", "<s>", "<mask>", "'s", "'ll", "''", "{", "}", ";", "};\n",
        "return x", "İ", "ΑΣ", "Σ", "ẞ", "é", "e\u0301", "\U0001f426", "\U0001f468\u200d\U0001f469",
        "\ud800.", "\udc00", "漢字", "١٢", "½", "x" * 60, "(" * 60, "9" * 30,
    ]  # fmt: skip
    return ["".join(rng.choices(pieces, k=rng.randint(0, 120))) for _ in range(200)]


@pytest.fixture(scope="session")
def bundle_of(
    tmp_path_factory: pytest.TempPathFactory,
    exportable: Callable[..., Exportable],
    functions: list[str],
) -> MakeBundle:
    """Makes a bundle of random weights that decides by a threshold in the middle."""
    folder = tmp_path_factory.mktemp("bundles")
    tokenizer_json = train_tokenizer(functions, SHAPE.vocab_size, "structure")

    @cache
    def exported(kind: TaskKind, quant: Quant) -> Path:
        path = folder / f"{kind}-{quant}.wren"
        try:
            export_bundle(exportable(SHAPE, kind, ("no", "yes"), tokenizer_json), path, quant=quant)
        except GateError:  # random weights near the middle: few bits may turn an answer round
            return path.with_name(f"{path.name}.failed")
        return path

    @cache
    def make(
        kind: TaskKind,
        long_inputs: LongInputs = "truncate",
        quant: Quant = "int8",
        *,
        adds_space: bool = False,
        normalisation: Normalisation = "structure",
    ) -> Path:
        bundle = read_bundle(exported(kind, quant))
        if kind == "embedding":
            return exported(kind, quant)
        margins = sorted(_margins(exported(kind, quant), functions[:100]))
        # Between two answers: on one, the last bit of a logit would decide.
        middle = sum(margins[len(margins) // 2 - 1 :][:2]) / 2
        decision = Decision(2.0, "yes", 1 / (1 + math.exp(-middle / 2.0)))
        tokenizer = json.loads(bundle.tokenizer_json)
        tokenizer["pre_tokenizer"]["add_prefix_space"] = adds_space
        parts = model_files(bundle) | {TOKENIZER: json.dumps(tokenizer).encode()}
        del parts[MANIFEST]
        manifest = replace(
            bundle.manifest,
            task=replace(bundle.manifest.task, normalisation=normalisation),
            decision=decision,
            long_inputs=long_inputs,
            files=file_infos(parts),
        )
        path = folder / f"{kind}-{long_inputs}-{quant}-{adds_space}-{normalisation}.wren"
        path.write_bytes(pack(manifest.to_json(), parts))
        return path

    return make


def _margins(bundle: Path, texts: list[str]) -> Iterator[float]:
    model = load(bundle)
    for text, other in zip(texts, [*texts[1:], texts[0]], strict=True):
        single = model.task.kind == "single"
        logits = model.logits(text) if single else model.logits_pair(text, other)
        yield float(logits[1] - logits[0])


@pytest.fixture(scope="session")
def modules() -> Path:
    """npm's packages for these tests."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: no JavaScript is run")
    return _or_skip(JS)


def _or_skip(project: Path) -> Path:
    try:
        return node_modules(project)
    except OptionError as error:
        pytest.skip(f"npm's packages are not to be had: {error}")


@pytest.fixture(scope="session")
def page_modules() -> None:
    """npm's packages for the page, or a skip."""
    from codewren_export.packages.folders import template

    _or_skip(Path(str(template("web"))))


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium that is installed here."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("chromium is not installed: no page is opened")


@pytest.fixture(scope="session")
def javascript(
    modules: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, dict[str, Any]], Any]:
    """Runs a script of `js/` on a JSON value and gives its answer."""
    question = tmp_path_factory.mktemp("question") / "question.json"

    def run(script: str, value: dict[str, Any]) -> Any:
        for path in JS.glob("*.mjs"):
            shutil.copy(path, modules.parent)  # where their imports are found
        question.write_text(json.dumps(value))
        command = ["node", str(modules.parent / script), str(question)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def installed(tmp_path: Path, modules: Path) -> Callable[[Path], Path]:
    """Lays an npm package beside those that it needs, as npm would; gives its new place."""

    def install(package: Path) -> Path:
        around = tmp_path / "installed" / "node_modules"
        around.mkdir(parents=True)
        for entry in modules.iterdir():
            if not entry.name.startswith("."):
                (around / entry.name).symlink_to(entry)
        return Path(shutil.copytree(package, around / package.name))

    return install


def expected(bundle: Path, rows: Rows) -> list[dict[str, Any]]:
    """Python's answers."""
    model = load(bundle)
    answers = []
    for texts in rows:
        single = len(texts) == 1
        answer = model.predict(*texts) if single else model.predict_pair(*texts)
        logits = model.logits(*texts) if single else model.logits_pair(*texts)
        answers.append(
            {
                "ids": [[list(ids) for ids in model._windows(text)] for text in texts],
                "logits": logits.tolist(),
                "label": answer.label,
                "probability": answer.probability,
            }
        )
    return answers


def check_same(found: list[dict[str, Any]], wanted: list[dict[str, Any]], tolerance: float) -> None:
    """Ids and labels equal, logits within the tolerance; and there was something to tell apart."""
    assert len(found) == len(wanted)
    times = Counter(answer["label"] for answer in wanted)
    assert len(times) > 1
    assert min(times.values()) > len(wanted) / 20
    for mine, theirs in zip(wanted, found, strict=True):
        assert theirs["ids"] == mine["ids"]
        assert theirs["logits"] == pytest.approx(mine["logits"], abs=tolerance)
        assert theirs["probability"] == pytest.approx(mine["probability"], abs=tolerance)
        assert theirs["label"] == mine["label"]


@pytest.fixture(scope="session")
def same() -> Callable[..., None]:
    """Asserts that answers are those that Python gives for rows of texts."""

    def check(
        found: list[dict[str, Any]], bundle: Path, rows: Rows, tolerance: float = 1e-3
    ) -> None:
        check_same(found, expected(bundle, rows), tolerance)

    return check


@pytest.fixture(scope="session")
def as_rows() -> Callable[[list[str], str], Rows]:
    """Texts as rows for a kind of model: alone, or each with the next."""

    def make(texts: list[str], kind: str) -> Rows:
        if kind == "single":
            return [[text] for text in texts]
        return [list(pair) for pair in zip(texts, islice(texts, 1, None), strict=False)]

    return make
