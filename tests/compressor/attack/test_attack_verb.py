from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from codewren.cli.app import app
from codewren.rewriting import read_code
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime import load
from codewren_runtime.errors import CodewrenError

FUNCTIONS = 11


def attack(*arguments: object, run: Path) -> dict[str, Any]:
    given = [*map(str, arguments), "--run", str(run), "--json", "-q"]
    result = CliRunner().invoke(app, ["attack", *given], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_a_bundle_is_attacked_and_every_flip_is_one(
    wren: Callable[[str], Path], labelled: Path, tmp_path: Path
) -> None:
    bundle = wren("single")
    run = tmp_path / "run"
    report = attack(bundle, "--data", labelled, "--substitutes", labelled, run=run)["rows"][0]
    assert (report["functions"], report["right"], report["attackable"]) == (FUNCTIONS, 10, 9)
    assert report["flipped"] > 0
    model = load(bundle)
    rows = [json.loads(line) for line in labelled.read_text().splitlines()]
    for found in report["examples"]:
        row = rows[found["line"] - 1]
        code = read_code(row["func"])
        assert code is not None
        answer = model.predict(code.renamed(found["renaming"]))
        assert model.labels.index(answer.label) != row["target"]
        probability = answer.probabilities[model.labels[row["target"]]]
        assert probability == pytest.approx(found["after"])


def test_a_killed_attack_goes_on_and_ends_as_an_uninterrupted_one(
    wren: Callable[[str], Path], labelled: Path, tmp_path: Path
) -> None:
    arguments = (wren("single"), "--data", labelled, "--queries", "30")
    whole = attack(*arguments, run=tmp_path / "whole")
    log = tmp_path / "whole" / "attack" / whole["rows"][0]["log"]
    lines = log.read_bytes().splitlines(keepends=True)
    begun = tmp_path / "begun" / "attack" / log.name
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"".join(lines[:4]) + lines[4][:9])
    again = attack(*arguments, run=tmp_path / "begun")
    for report in (whole, again):
        del report["rows"][0]["cpu_seconds"]
        for found in report["rows"][0]["examples"]:
            del found["cpu_seconds"]
    assert again == whole
    assert begun.read_bytes().splitlines()[:4] == [line.rstrip() for line in lines[:4]]


def test_pairs_are_renamed_in_their_first_text(
    wren: Callable[[str], Path], pairs: Path, tmp_path: Path
) -> None:
    arguments = ("--data", pairs, "--text1", "a", "--text2", "b", "--queries", "20")
    report = attack(wren("pair"), *arguments, run=tmp_path / "run")["rows"][0]
    assert report["attackable"] == report["right"] == 4
    assert 4 < report["queries"] <= 4 * 20


def test_a_folder_and_a_masked_model_serve_too(labelled: Path, tmp_path: Path) -> None:
    from transformers import (
        PreTrainedTokenizerFast,
        RobertaConfig,
        RobertaForMaskedLM,
        RobertaModel,
    )

    from codewren_distill.classifier import save_classifier
    from codewren_distill.student import build_student
    from codewren_runtime.types import Architecture, Task

    texts = [json.loads(line)["func"] for line in labelled.read_text().splitlines()]
    tokenizer = train_tokenizer(texts, 300, "structure")
    task = Task("t", "single", ("a", "b", "c"))
    student = build_student(Architecture(300, 16, 1, 2, 16, 64), task, tokenizer, seed=1)
    save_classifier(student, tmp_path / "student")
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=300, pad_token_id=1,
    )  # fmt: skip
    RobertaForMaskedLM(config).save_pretrained(tmp_path / "mlm")
    PreTrainedTokenizerFast.from_pretrained(tmp_path / "student").save_pretrained(tmp_path / "mlm")
    arguments = ("--data", labelled, "--queries", "12")
    student_folder = tmp_path / "student"
    for more in ((), ("--mlm", tmp_path / "mlm")):
        run = tmp_path / f"run{len(more)}"
        report = attack(student_folder, *arguments, *more, run=run)["rows"][0]
        assert report["queries"] > FUNCTIONS or report["attackable"] == 0
        assert report["queries"] <= 12 * FUNCTIONS
    RobertaModel(config).save_pretrained(tmp_path / "mlm")
    with pytest.raises(CodewrenError, match="no trained head that fills masks"):
        attack(student_folder, *arguments, "--mlm", tmp_path / "mlm", run=tmp_path / "run3")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--substitutes", "{rows}", "--id", "nothing"], "--id"),
        (["--substitutes", "{rows}", "--mlm", "{rows}"], "not both"),
        (["--language", "cobol"], "c, java, python"),
        (["--text1", "func", "--text2", "func"], "judges one code at a time"),
        (["{model}"], "given twice"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    wren: Callable[[str], Path], labelled: Path, tmp_path: Path, more: list[str], says: str
) -> None:
    model = wren("single")
    given = [part.format(rows=labelled, model=model) for part in more]
    arguments = [str(model), *given, "--data", str(labelled), "--run", str(tmp_path / "run")]
    with pytest.raises(CodewrenError, match=says) as raised:
        CliRunner().invoke(app, ["attack", *arguments], catch_exceptions=False)
    assert "\n" not in str(raised.value)


def test_another_field_that_joins_the_substitutes_is_another_attack(
    wren: Callable[[str], Path], labelled: Path, tmp_path: Path
) -> None:
    arguments = (wren("single"), "--data", labelled, "--substitutes", labelled)
    first = attack(*arguments, run=tmp_path)
    assert attack(*arguments, "--id", "target", run=tmp_path)["rows"] != first["rows"]


@pytest.mark.parametrize("wrong", [5, [1], {"len": 5}, {"len": [1]}, {"len": "abc"}])
def test_substitutes_that_are_no_names_name_the_line(
    wren: Callable[[str], Path], labelled: Path, tmp_path: Path, wrong: Any
) -> None:
    path = tmp_path / "wrong.jsonl"
    path.write_text('{"idx": 0}\n' + json.dumps({"idx": 7, "substitutes": wrong}) + "\n")
    with pytest.raises(CodewrenError, match=r"wrong\.jsonl:2: .*new"):
        attack(wren("single"), "--data", labelled, "--substitutes", path, run=tmp_path)


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"5\n", b'{"line": 1\n'])
def test_a_log_is_believed_up_to_its_first_damaged_line(
    wren: Callable[[str], Path], labelled: Path, tmp_path: Path, damage: bytes
) -> None:
    arguments = (wren("single"), "--data", labelled, "--queries", "10")
    whole = attack(*arguments, run=tmp_path)
    log = tmp_path / "attack" / whole["rows"][0]["log"]
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:2], damage, *lines[3:]]))
    (tmp_path / "attack.json").unlink()
    again = attack(*arguments, run=tmp_path)
    assert again["rows"][0]["queries"] == whole["rows"][0]["queries"]
