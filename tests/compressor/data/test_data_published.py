"""Data sets in the layouts that they are published in, each read as what it says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from codewren.data import Fields, read_examples
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example


def _jsonl(path: Path, *rows: dict[str, Any]) -> Path:
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def test_devign(tmp_path: Path) -> None:
    row = {"project": "FFmpeg", "commit_id": "973b", "target": 1, "func": "int f;", "idx": 0}
    data = read_examples(
        _jsonl(tmp_path / "train.jsonl", row, row | {"target": 0}), Fields(), None,
        require_label=True,
    )  # fmt: skip
    assert data.examples == (Example("int f;", label=1), Example("int f;", label=0))


def test_bigclonebench_as_codexglue_has_it(tmp_path: Path) -> None:
    functions = _jsonl(
        tmp_path / "data.jsonl",
        {"func": "void a() {}", "idx": "13988825"},
        {"func": "void b() {}", "idx": "8660836"},
    )
    pairs = tmp_path / "train.txt"
    pairs.write_text("13988825\t8660836\t0\n8660836\t13988825\t1\n")
    fields = Fields(id1="id1", id2="id2", label="label", functions=functions)
    for labels in (None, ("different", "clone")):
        data = read_examples(pairs, fields, labels, require_label=True)
        assert data.examples == (
            Example("void a() {}", "void b() {}", 0),
            Example("void b() {}", "void a() {}", 1),
        )
    pairs.write_text("13988825\t8660836\t0\n13988825 8660836 0\n")
    with pytest.raises(DataError, match=r"train\.txt:2: has 1 columns between tabs — give two ids"):
        read_examples(pairs, fields, None, require_label=True)
    pairs.write_text("13988825\t7\t0\n")
    with pytest.raises(DataError, match=r"train\.txt:1: id '7' is not in .*data\.jsonl"):
        read_examples(pairs, fields, None, require_label=True)


def test_codesearchnet(tmp_path: Path) -> None:
    row = {
        "repo": "r", "path": "p.py", "partition": "test", "url": "u",
        "code": "def add(a, b):\n    return a + b", "docstring": "Adds.\n\nTwo numbers.",
        "code_tokens": ["def", "add", "(", "a", ")"], "docstring_tokens": ["Adds", "."],
    }  # fmt: skip
    path = _jsonl(tmp_path / "python_test_0.jsonl.gz", row)
    whole = Fields(text1="docstring", text2="code", label=None)
    (example,) = read_examples(path, whole, None, require_label=False).examples
    assert example.texts == (row["docstring"], row["code"])
    tokens = Fields(text1="docstring_tokens", text2="code", label=None)
    (example,) = read_examples(path, tokens, None, require_label=False).examples
    assert example.text == "Adds ."
    for bad in ([], [1], ["a", None]):
        _jsonl(tmp_path / "bad.jsonl", row | {"docstring_tokens": bad})
        with pytest.raises(DataError, match=r"bad\.jsonl:1: field 'docstring_tokens' is a list"):
            read_examples(tmp_path / "bad.jsonl", tokens, None, require_label=False)


def test_poj_104_as_json_lines_and_as_folders(tmp_path: Path) -> None:
    root = tmp_path / "ProgramData"
    texts = {"10": ["int main() { return 10; }"], "2": ["int a;", "int b;"], "1": ["int c;"]}
    rows = []
    for label, programs in texts.items():
        (root / label).mkdir(parents=True)
        for at, code in enumerate(programs):
            (root / label / f"{at}.txt").write_text(code)
            rows.append({"label": label, "index": str(at), "code": code})
    lines = _jsonl(tmp_path / "test.jsonl", *rows)
    fields = Fields(text="code", label="label")
    one = read_examples(lines, fields, None, require_label=False)
    other = read_examples(root, fields, None, require_label=False)
    assert one.labels == other.labels == ("1", "2", "10")
    assert set(one.examples) == set(other.examples)
    assert {e.text: e.label for e in other.examples}["int b;"] == 1
    unlabelled = read_examples(root, Fields(label=None), None, require_label=False)
    assert {e.text for e in unlabelled.examples} == {row["code"] for row in rows}
    assert all(e.label is None for e in unlabelled.examples)
    (root / "2" / "empty.txt").write_text(" \n")
    with pytest.raises(DataError, match=r"2/empty\.txt:1: is empty — remove it, or pass --skip"):
        read_examples(root, fields, None, require_label=False)
    skipped = read_examples(root, fields, None, require_label=False, skip_bad_rows=True)
    assert skipped.examples == other.examples
    assert skipped.sha256 == other.sha256
    (root / "2" / "0.txt").write_text("int d;")
    assert read_examples(
        root, fields, None, require_label=False, skip_bad_rows=True
    ).sha256 != other.sha256  # fmt: skip


def test_code_jam_by_author_as_folders_and_as_lines(tmp_path: Path) -> None:
    for author, code in (
        ("ann", "def solve():\n    pass\n\ndef main():\n    solve()\n"),
        ("bob", "x=1\n"),
    ):
        (tmp_path / "gcj" / author).mkdir(parents=True)
        (tmp_path / "gcj" / author / "a.py").write_text(code)
    fields = Fields(text="code", label="label")
    data = read_examples(tmp_path / "gcj", fields, None, require_label=True)
    assert data.labels == ("ann", "bob")
    assert [e.label for e in data.examples] == [0, 1]  # files are whole: an author has habits
    # Sources in folders have no labels unless they are asked for.
    assert all(
        e.label is None
        for e in read_examples(tmp_path / "gcj", fields, None, require_label=False).examples
    )
    lines = tmp_path / "train.txt"
    lines.write_text("import sys\\nprint(1 <2) <CODESPLIT> 7\nx = 1 <CODESPLIT> 12\n")
    data = read_examples(lines, fields, None, require_label=True)
    assert data.examples == (Example("import sys\nprint(1 <2)", label=0), Example("x = 1", label=1))
    assert data.labels == ("7", "12")
    lines.write_text("x = 1 <CODESPLIT> 7\nx = 2\n")
    with pytest.raises(DataError, match=r"train\.txt:2: has no <CODESPLIT> — give JSON lines"):
        read_examples(lines, fields, None, require_label=True)
    lines.write_text('{"code": "x", "label": 1}\n')  # JSON lines of another name
    assert read_examples(lines, fields, None, require_label=True).examples[0].text == "x"


def test_a_folder_without_labels_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(DataError, match="has no labels — give one with a folder for each"):
        read_examples(tmp_path, Fields(), None, require_label=True)
    with pytest.raises(DataError, match="is a folder, which has no pairs"):
        read_examples(tmp_path, Fields(text1="a", text2="b"), None, require_label=True)
