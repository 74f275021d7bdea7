from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from codewren.cli.app import app
from codewren.data import Dataset, Fields, read_examples
from codewren.rewriting import read_code
from codewren_runtime import load
from codewren_runtime.errors import DataError

ORIGINAL = "rewritten_from"


def augment(*arguments: object) -> dict[str, Any]:
    result = CliRunner().invoke(
        app, ["augment", *map(str, arguments), "--json", "-q"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def rows_of(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines()]


def read(path: Path, **fields: Any) -> Dataset:
    return read_examples(path, Fields(label=None, **fields), None, require_label=False)


def test_copies_follow_their_rows_and_say_what_they_were_made_from(
    labelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "more.jsonl.gz"
    counts = augment("--data", labelled, "--out", out, "--copies", 2)
    before, after = rows_of(labelled), rows_of(out)
    assert counts["rows"] == len(before)
    assert counts["copies"] == len(after) - len(before) > len(before)
    assert [row for row in after if ORIGINAL not in row] == before
    originals = {row["func"]: row for row in before}
    for row in after:
        if ORIGINAL in row:
            (text,) = row[ORIGINAL]
            assert row["func"] != text
            assert {k: v for k, v in row.items() if k not in ("func", ORIGINAL)} == {
                k: v for k, v in originals[text].items() if k != "func"
            }
            code = read_code(row["func"])
            assert code is not None
            assert len(code.names) == 3


def test_the_same_seed_writes_the_same_bytes(labelled: Path, tmp_path: Path) -> None:
    first, second, other = (
        augment("--data", labelled, "--out", tmp_path / f"{i}.jsonl.gz", "--seed", seed)["sha256"]
        for i, seed in enumerate((3, 3, 4))
    )
    assert first == second != other


def test_what_fools_a_model_is_added_with_its_original(
    wren: Callable[[str], Path], labelled: Path, tmp_path: Path
) -> None:
    out, bundle = tmp_path / "hard.jsonl", wren("single")
    counts = augment("--data", labelled, "--out", out, "--copies", 0, "--attack", bundle)
    hard = [row for row in rows_of(out) if ORIGINAL in row]
    assert len(hard) == counts["adversarial"] > 0
    model = load(bundle)
    for row in hard:
        assert model.predict(row["func"]).label != model.predict(row[ORIGINAL][0]).label


def test_a_copy_of_a_copy_has_the_first_original(labelled: Path, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.jsonl", tmp_path / "twice.jsonl"
    augment("--data", labelled, "--out", once)
    augment("--data", once, "--out", twice, "--seed", 1)
    texts = {row["func"] for row in rows_of(labelled)}
    assert {example.taught[0] for example in read(twice).examples} == texts


def test_pairs_are_rewritten_on_both_sides(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "more.jsonl"
    augment("--data", pairs, "--text1", "a", "--text2", "b", "--out", out)
    examples = read(out, text1="a", text2="b").examples
    assert len(examples) == 8
    assert all(copy.taught == row.texts for row, copy in zip(*[iter(examples)] * 2, strict=True))


def test_a_folder_of_sources_is_augmented_too(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.c").write_text("int f(int a, int b)\n{\n  return a + b;\n}\n")
    out = tmp_path / "more.jsonl"
    assert augment("--data", tmp_path / "src", "--out", out)["copies"] == 1
    assert len(read(out).examples) == 2


def test_an_original_of_another_form_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps({"func": "int a;", ORIGINAL: "int b;"}) + "\n")
    with pytest.raises(DataError, match="not a list of 1 texts"):
        read(path)


def test_copies_are_labelled_and_taught_by_what_the_teacher_says_of_the_original(
    labelled: Path, tmp_path: Path
) -> None:
    from codewren_distill.labelling import label_examples
    from codewren_distill.scoring import logits_of
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import train_tokenizer
    from codewren_runtime.types import Architecture, Task

    out = tmp_path / "more.jsonl"
    augment("--data", labelled, "--out", out, "--copies", 2)
    examples = read(out).examples
    tokenizer = train_tokenizer([example.text for example in examples], 300, "structure")
    teacher = build_student(
        Architecture(300, 16, 1, 2, 16, 64), Task("t", "single", ("a", "b")), tokenizer, seed=1
    )
    done: list[int] = []
    soft = label_examples(
        teacher, "t", examples, tmp_path / "soft.safetensors", advance=done.append
    )
    assert sum(done) == len(examples)
    assert len(soft.logits) == 11
    originals = [type(example).of(example.taught) for example in examples]
    np.testing.assert_allclose(soft.matrix(examples), logits_of(teacher, originals), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "line", "more"),
    [
        ("rows.txt", "int f(int a)\\n{\\n return a;\\n} <CODESPLIT> 3", ()),
        ("ids.txt", "1\t1\t3", ("--id1", "id1", "--id2", "id2")),
    ],
)
def test_lines_as_published_are_augmented_too(
    tmp_path: Path, name: str, line: str, more: tuple[str, ...]
) -> None:
    data, out, functions = tmp_path / name, tmp_path / "out.jsonl", tmp_path / "functions.jsonl"
    data.write_text(f"{line}\n")
    functions.write_text(json.dumps({"id": 1, "code": "int f(int a)\n{\n return a;\n}"}) + "\n")
    augment("--data", data, "--out", out, *more, *(("--functions", functions) if more else ()))
    rows = rows_of(out)
    assert rows
    assert all(row["target"] == 3 for row in rows)
    assert "int f" in rows[0].get("func", rows[0].get("text1"))


def test_other_fields_may_hold_halves_of_characters(tmp_path: Path) -> None:
    data, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    data.write_text('{"func": "int f(int a) { return a; }", "note": "\\ud800"}\n')
    augment("--data", data, "--out", out)
    assert {row["note"] for row in rows_of(out)} == {"\ud800"}


def test_what_can_be_read_once_only_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=('{"func": "int f(int a);"}\n',))
    writer.start()
    with pytest.raises(DataError, match="pipe"):
        augment("--data", pipe, "--out", tmp_path / "out.jsonl")
    writer.join()
