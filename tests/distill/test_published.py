"""Checkpoints laid out as the replication package's, small ones made here and the real ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import RobertaConfig, RobertaForSequenceClassification, RobertaModel

from codewren_distill.classifier import load_classifier, save_classifier
from codewren_distill.models import SiameseModel
from codewren_distill.pair_heads import ConcatHead
from codewren_distill.published import Published, read_published
from codewren_distill.scoring import logits_of
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.text import normalise
from codewren_runtime.types import Architecture, Example

HEADS = 4
CODES = ["int F(void)\n{\n  return 1;\n}", "for (;;)  x += y;", "while (a < b) { a++; }" * 20]
State = dict[str, torch.Tensor]
Write = Callable[[State], Path]


def config() -> RobertaConfig:
    return RobertaConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        intermediate_size=24,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        initializer_range=0.3,
    )


def prefixed(prefix: str, module: torch.nn.Module) -> State:
    return {f"{prefix}{name}": value for name, value in module.state_dict().items()}


@pytest.fixture
def write(tmp_path: Path, tokenizer_json: str) -> Write:
    def make(state: State) -> Path:
        torch.save(state, tmp_path / "model.bin")
        (tmp_path / "tokenizer.json").write_text(tokenizer_json)
        return tmp_path

    return make


@pytest.fixture
def vulnerability(write: Write) -> tuple[Path, RobertaForSequenceClassification]:
    torch.manual_seed(0)
    model = RobertaForSequenceClassification(config()).eval()
    positions = {"encoder.roberta.embeddings.position_ids": torch.arange(514)[None]}
    return write(positions | prefixed("encoder.", model)), model


@pytest.fixture
def clone(write: Write) -> tuple[Path, RobertaModel, torch.nn.ModuleDict]:
    torch.manual_seed(0)
    model = RobertaModel(config()).eval()
    head = torch.nn.ModuleDict(
        {"dense": torch.nn.Linear(32, 16), "out_proj": torch.nn.Linear(16, 2)}
    )
    positions = {"encoder.embeddings.position_ids": torch.arange(514)[None]}
    state = positions | prefixed("encoder.", model) | prefixed("classifier.", head)
    return write(state), model, head


def ids_of(published: Published, text: str) -> torch.Tensor:
    return torch.tensor([published.classifier.text.tokenizer.encode(text)])


@torch.no_grad()
def test_vulnerability_swaps_columns_so_that_label_1_is_vulnerable(
    vulnerability: tuple[Path, RobertaForSequenceClassification],
) -> None:
    folder, model = vulnerability
    published = read_published(folder, "flaws", HEADS)
    assert published.architecture == Architecture(300, 16, 2, HEADS, 24, 400)
    task = published.classifier.task
    assert (task.name, task.kind, task.normalisation) == ("flaws", "single", "published")
    assert task.labels == ("safe", "vulnerable")
    found = logits_of(published.classifier, [Example(code) for code in CODES])
    expected = [model(ids_of(published, code)).logits[0].flip(0).numpy() for code in CODES]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@torch.no_grad()
def test_clone_head_reads_first_tokens_side_by_side_and_no_pooler(
    clone: tuple[Path, RobertaModel, torch.nn.ModuleDict], tmp_path: Path
) -> None:
    folder, model, head = clone
    published = read_published(folder, "clones", HEADS)
    classifier = published.classifier
    assert (classifier.task.kind, classifier.task.labels) == ("pair", ("different", "clone"))
    first, second = (model(ids_of(published, code))[0][:, 0] for code in CODES[:2])
    hidden = torch.tanh(head["dense"](torch.cat((first, second), 1)))
    expected = head["out_proj"](hidden).numpy()
    pair = [Example(*CODES[:2])]
    np.testing.assert_allclose(logits_of(classifier, pair), expected, atol=1e-5)
    save_classifier(classifier, tmp_path / "student")
    again = load_classifier(tmp_path / "student")
    assert isinstance(again.model, SiameseModel)
    assert isinstance(again.model.head, ConcatHead)
    np.testing.assert_allclose(logits_of(again, pair), expected, atol=1e-5)


def test_a_folder_that_is_none_is_one_line(
    vulnerability: tuple[Path, RobertaForSequenceClassification], tmp_path: Path, write: Write
) -> None:
    folder, model = vulnerability
    with pytest.raises(OptionError, match="not divisible by num_heads 3"):
        read_published(folder, "t", 3)
    with pytest.raises(ModelError, match=r"model\.bin: no such file"):
        read_published(tmp_path / "none", "t", HEADS)
    state = prefixed("encoder.", model)
    del state["encoder.classifier.dense.bias"]
    with pytest.raises(ModelError, match="not a student of the replication package") as error:
        read_published(write(state), "t", HEADS)
    assert "\n" not in str(error.value)
    with pytest.raises(ModelError, match="not a student of the replication package"):
        read_published(write({"something": torch.zeros(2)}), "t", HEADS)


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code of the checkpoint ran')",))


@pytest.mark.parametrize("content", [Hostile(), {"encoder.x": Hostile()}, [1], {"a": 1}, b"PK"])
def test_a_checkpoint_runs_no_code(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "model.bin")
    with pytest.raises(ModelError, match="torch state dict"):
        read_published(tmp_path, "t", HEADS)


def rows(path: Path) -> list[dict[str, object]]:
    with gzip.open(path, "rt") as stream:
        return [json.loads(line) for line in stream]


@pytest.mark.slow
def test_the_published_vulnerability_student_scores_as_published(shared: Path) -> None:
    folder = shared / "published" / "codebert-vulnerability-3mb"
    published = read_published(folder, "t", 8)
    assert published.architecture == Architecture(1000, 96, 12, 8, 64, 400)
    assert published.classifier.parameters == 756_098
    data = rows(shared / "data" / "devign" / "test_public.jsonl.gz")
    texts = [str(row["func"]) for row in data]
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in texts:
        ids = [0, *theirs.encode(" ".join(text.split())).ids[:398], 2]
        assert published.classifier.text.tokenizer.encode(text) == ids
    assert normalise(texts[0], "published") == " ".join(texts[0].split()).lower()
    predicted = logits_of(published.classifier, [Example(text) for text in texts]).argmax(1)
    accuracy = (predicted == np.array([row["target"] for row in data])).mean()
    assert round(100 * accuracy, 2) == 58.13


@pytest.mark.slow
def test_the_published_clone_student_scores_as_published(shared: Path) -> None:
    published = read_published(shared / "published" / "codebert-clone-3mb", "t", 8)
    data = shared / "data" / "bigclonebench"
    code = {row["id"]: str(row["code"]) for row in rows(data / "functions.jsonl.gz")}
    pairs = rows(data / "test_public.jsonl.gz")[:256]
    examples = [Example(code[row["id1"]], code[row["id2"]]) for row in pairs]
    predicted = logits_of(published.classifier, examples).argmax(1)
    accuracy = (predicted == np.array([row["label"] for row in pairs])).mean()
    assert accuracy > 0.93  # 95.89 % on all 1,022
