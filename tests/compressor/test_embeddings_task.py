"""Embeddings for code search through the command line, and what their measures say."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, PreTrainedTokenizerFast
from typer.testing import CliRunner

from codewren.baselines import tfidf_vectors
from codewren.cli.app import app
from codewren.recipe import load_recipe
from codewren.retrieval import agreement_scores, clone_scores, search_scores
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime import load
from codewren_runtime.errors import CodewrenError, OptionError

VERBS = ("open", "close", "read", "write", "find", "sort", "merge", "print")
THINGS = ("file", "socket", "list", "tree", "table", "string", "buffer", "image")
RECIPE = """
[task]
name = "search"
kind = "embedding"
[data]
train = "pairs.jsonl"
unlabelled = "pairs.jsonl"
test = "test.jsonl"
text1 = "docstring"
text2 = "code"
[label]
teachers = ["bert"]
pooling = "first"
max_length = 40
[search]
size = "200kB"
space = "space.toml"
[distill]
epochs = 4
batch_size = 8
learning_rate = 2e-3
"""
SPACE = """
max_length = 48
vocab_size = [300, 320]
hidden_size = [16, 32]
num_layers = [1]
num_heads = [1, 2]
intermediate_size = [16, 32]
"""


def _rows(count: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        verb, thing = rng.choice(VERBS), rng.choice(THINGS)
        code = f"def {verb}_{thing}_{i}(x):\n    return x.{verb}({i})"
        rows.append({"docstring": f"{verb} the {thing} number {i}", "code": code, "label": verb})
    return rows


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with its data and an encoder of random weights as its teacher."""
    place = tmp_path_factory.mktemp("search")
    rows = _write(place / "pairs.jsonl", _rows(64, 0)).read_text()
    _write(place / "test.jsonl", _rows(24, 1))
    (place / "recipe.toml").write_text(RECIPE)
    (place / "space.toml").write_text(SPACE)
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=40, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(place / "bert")
    (place / "raw.json").write_text(train_tokenizer(rows.splitlines(), 300, "structure"))
    PreTrainedTokenizerFast(
        tokenizer_file=str(place / "raw.json"), bos_token="<s>", eos_token="</s>",
        pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>",
    ).save_pretrained(place / "bert")  # fmt: skip
    return place


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """The recipe's run, complete."""
    _compress("run", folder / "recipe.toml", "--run", folder / "run", "--quiet")
    return folder / "run"


def _compress(*arguments: object, fails: bool = False) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if not fails and result.exception is not None:
        raise result.exception
    if fails:
        assert isinstance(result.exception, CodewrenError)
        assert "\n" not in str(result.exception)
        return str(result.exception)
    return result.stdout


def test_a_recipe_goes_all_the_way_and_is_measured_by_search(run: Path) -> None:
    report = json.loads((run / "report.json").read_text())
    names = [row["name"].split(",")[0].split(":")[0] for row in report["rows"]]
    assert names == ["TF-IDF cosine", "teacher", "control", "student", "bundle"]
    for row in report["rows"]:
        assert 0 < row["scores"]["recall_at_1"] <= row["scores"]["recall_at_5"] <= 1
        assert row["scores"]["recall_at_1"] <= row["scores"]["mrr"] <= 1
        assert row["scores"]["count"] == 24
        assert row["latency_ms"] > 0
        assert row["bytes"] > 0
    assert "recall@10" in (run / "report.md").read_text()
    assert any("of its teacher's MRR" in line for line in report["verdicts"])
    done = json.loads((run / "export.json").read_text())
    assert [gate["gate"] for gate in done["gates"]] == ["parity", "cosine", "size"]
    assert done["agreement"] > 0.99


def test_the_bundle_embeds_and_answers_nothing_else(run: Path, tmp_path: Path) -> None:
    model = load(run / "model.wren")
    assert model.task.kind == "embedding"
    assert model.labels == ()
    assert np.linalg.norm(model.embed("def f(): pass")) == pytest.approx(1, abs=1e-5)
    source = tmp_path / "a.py"
    source.write_text("def f(): pass\n")
    for arguments in (
        ("predict", run / "model.wren", source),
        ("scan", tmp_path, "--bundle", run / "model.wren", "--no-cache"),
        ("attack", run / "model.wren", "--data", source, "--run", tmp_path / "attack"),
        ("evaluate", "--bundle", run / "model.wren", "--data", source, "--robust"),
        ("package", run / "model.wren", "--kind", "web", "--name", "x", "--out", tmp_path / "o"),
    ):
        assert "embedding" in _compress(*arguments, fails=True)


def test_the_verbs_alone_do_the_same_and_skip_what_is_done(folder: Path, tmp_path: Path) -> None:
    at = ("--run", tmp_path / "run", "--quiet")
    data = ("--data", folder / "pairs.jsonl", "--text1", "docstring", "--text2", "code")
    _compress("search", "--kind", "embedding", "--size", "200kB", "--space",
              folder / "space.toml", *at)  # fmt: skip
    teach = ("label", *data, "--teacher", folder / "bert", "--embedding", "--max-length", 40)
    made = json.loads(_compress(*teach, *at, "--json"))
    assert (made["texts"], made["width"]) == (128, 24)
    assert json.loads(_compress(*teach, *at, "--json")) == made
    other = json.loads(_compress(*teach, "--pooling", "first", *at, "--json"))
    assert other["sha256"] != made["sha256"]
    _compress("distill", *data, "--epochs", 1, *at)
    _compress("finetune", *data, "--embedding", "--architecture", tmp_path / "run",
              "--into", "control", *at, fails=True)  # fmt: skip
    shape = tmp_path / "run" / "architecture.json"
    _compress("finetune", *data, "--embedding", "--architecture", shape, "--into", "control",
              "--epochs", 1, *at)  # fmt: skip
    _compress("export", *at)
    clones = ("--data", folder / "test.jsonl", "--text", "code")
    found = json.loads(_compress("evaluate", *clones, "--label", "label", *at, "--json"))
    assert [row["scores"]["count"] for row in found["rows"]] == [23] * 4  # one is alone
    assert all(0 < row["scores"]["map_at_r"] <= 1 for row in found["rows"])
    alike = json.loads(_compress("evaluate", *clones, "--label", "none", *at, "--json"))
    teacher, *others = (row["scores"]["spearman"] for row in alike["rows"])
    assert teacher == pytest.approx(1)
    assert all(-1 <= one < 1 for one in others)
    bundle = ("evaluate", "--bundle", tmp_path / "run" / "model.wren", "--quiet")
    alone = json.loads(_compress(*bundle, *clones, "--label", "label", "--json"))
    assert alone["rows"][0]["scores"] == found["rows"][-1]["scores"]
    assert "give pairs" in _compress(*bundle, *clones, "--label", "none", fails=True)
    half = [row | ({} if i % 2 else {"label": None}) for i, row in enumerate(_rows(8, 2))]
    mixed = _write(tmp_path / "mixed.jsonl", half)
    said = _compress(*bundle, "--data", mixed, "--text", "code", "--label", "label", fails=True)
    assert "4 of 8 rows have no label" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("label", "--embedding", "--labels", "a,b"), "either --embedding or --labels"),
        (("label", "--embedding", "--teacher", "a", "--teacher", "b"), "come from one teacher"),
        (("label",), "--embedding"),
        (("finetune", "--embedding", "--architecture", "shape.json"), "--text1 and --text2"),
    ],
)
def test_what_cannot_be_is_one_line(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    shape = {"vocab_size": 300, "hidden_size": 16, "num_layers": 1, "num_heads": 1,
             "intermediate_size": 16, "max_length": 32}  # fmt: skip
    (tmp_path / "shape.json").write_text(json.dumps(shape))
    given = [tmp_path / one if one == "shape.json" else one for one in arguments]
    data = ("--data", folder / "test.jsonl", "--text", "code", "--run", tmp_path / "run")
    if "finetune" not in arguments:
        (tmp_path / "run" / "teacher").mkdir(parents=True)
        (tmp_path / "run" / "teacher" / "metrics.json").write_text("{}")
    assert says in _compress(*given, *data, fails=True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('kind = "embedding"', 'kind = "embedding"\nlabels = ["a", "b"]', "has no labels"),
        ("epochs = 4", 'epochs = 4\nloss = "mse"', "an embedding has none"),
        ("epochs = 4", "epochs = 4\nhard_weight = 0.5", "an embedding has none"),
        ('text1 = "docstring"', 'text1 = "docstring"\nvalidation = "v.jsonl"', "no labels"),
        ('pooling = "first"', 'pooling = "last"', "pooling must be mean or first"),
    ],
)
def test_a_recipe_is_refused_before_any_work(
    folder: Path, tmp_path: Path, old: str, new: str, says: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace(old, new))
    with pytest.raises(OptionError, match=says):
        load_recipe(path)


def test_the_measures_of_search_by_hand() -> None:
    codes = np.eye(3)
    own = np.array([0, 1, 2, 2])
    queries = np.array([[1, 0.5, 0], [1, 0.5, 0], [0.2, 0.1, 0.3], [1, 1, 1]])
    scores = search_scores(queries, codes, own)  # ranks 1, 2, 1, and 3: ties count against it
    assert scores["mrr"] == pytest.approx((1 + 1 / 2 + 1 + 1 / 3) / 4)
    assert (scores["recall_at_1"], scores["recall_at_5"]) == (0.5, 1)


def test_the_measure_of_clones_by_hand() -> None:
    angles = np.array([0.0, 0.1, 0.3, 0.45, 2.0])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    labels = np.array([0, 0, 1, 0, 2])  # 2 is alone: no query
    scores = clone_scores(vectors, labels)
    # 0: 1 (right), 2 (wrong): 1/2. 1: 0, 2: 1/2. 2: nobody shares its label. 3: 2, 1: 1/4.
    assert scores == {"map_at_r": pytest.approx((1 / 2 + 1 / 2 + 1 / 4) / 3), "count": 3}


@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_the_measures_are_those_of_their_definitions(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, labels = rng.normal(size=(count, 4)), rng.integers(0, 3, count)
    perfect = np.eye(3)[labels]
    if np.bincount(labels).max() > 1:
        assert clone_scores(perfect, labels)["map_at_r"] == 1
    assert search_scores(vectors, vectors, np.arange(count))["mrr"] >= 1 / count
    turned = vectors @ np.linalg.qr(rng.normal(size=(4, 4))).Q
    assert agreement_scores(vectors, turned)["spearman"] == pytest.approx(1)
    assert -1 <= agreement_scores(vectors, rng.normal(size=(count, 2)))["spearman"] <= 1


def test_words_of_identifiers_and_of_prose_are_the_same_words() -> None:
    fitted = tfidf_vectors(["def readFile(HTTPServer): pass", "write_table(x2)"])
    rows = fitted.transform(["read a file from the http server", "the table", "nothing here"])
    assert rows[0].nnz == 4
    assert rows[1].nnz == 1
    assert rows[2].nnz == 0
    assert fitted.bytes > 0
