from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.data import Dataset, Fields, read_examples, stream
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Example

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows (objects, or raw bytes) as lines of a file."""

    def _write(*rows: Any, name: str = "data.jsonl") -> Path:
        path = tmp_path / name
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    return _write


def read(path: Path, labels: Sequence[str] | None = None, **options: Any) -> Dataset:
    fields = options.pop("fields", Fields())
    return read_examples(path, fields, labels, **{"require_label": True, **options})


def error_of(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 400
    return message.removeprefix(str(path))


def test_single_texts_with_integer_labels(write: Write) -> None:
    path = write({"func": "a();", "target": 1}, {"func": "b();", "target": 0})
    data = read(path)
    assert data.examples == (Example("a();", None, 1), Example("b();", None, 0))
    assert (data.labels, data.lines, data.path, data.bad_rows) == (("0", "1"), (1, 2), path, ())


def test_pairs_of_texts(write: Write) -> None:
    fields = Fields(text1="one", text2="two", label="same")
    data = read(write({"one": "f", "two": "g", "same": "no"}), ("no", "yes"), fields=fields)
    assert data.examples == (Example("f", "g", 0),)


def test_pairs_by_id_whether_ids_are_numbers_or_strings(write: Write) -> None:
    functions = write({"id": 7, "code": "f"}, {"id": "8", "code": "g"}, name="functions.jsonl")
    fields = Fields(id1="id1", id2="id2", label="label", functions=functions)
    data = read(write({"id1": "7", "id2": 8, "label": 1}), ("0", "1"), fields=fields)
    assert data.examples == (Example("f", "g", 1),)


def test_functions_file_with_other_field_names(write: Write) -> None:
    functions = write({"key": "a", "body": "f"}, name="functions.jsonl")
    fields = Fields(
        id1="l", id2="r", label=None, functions=functions, functions_id="key", functions_code="body"
    )
    data = read(write({"l": "a", "r": "a"}), fields=fields, require_label=False)
    assert data.examples == (Example("f", "f"),)


def test_unknown_id_names_the_functions_file(write: Write) -> None:
    functions = write({"id": 7, "code": "f"}, name="functions.jsonl")
    fields = Fields(id1="id1", id2="id2", label=None, functions=functions)
    path = write({"id1": 7, "id2": 9})
    message = error_of(path, fields=fields, require_label=False)
    assert message.startswith(f":1: id '9' is not in {functions} — add the function")


def test_bad_functions_are_named_before_the_ids_that_then_miss(write: Write) -> None:
    functions = write({"id": 7, "code": ""}, name="functions.jsonl")
    fields = Fields(id1="id1", id2="id2", label=None, functions=functions)
    path = write({"id1": 7, "id2": 7})
    with pytest.raises(DataError, match=r"functions\.jsonl:1: field 'code' is empty"):
        read(path, fields=fields, require_label=False)


def test_one_id_with_two_codes_is_bad_and_a_plain_repeat_is_not(write: Write) -> None:
    rows = [{"id": 7, "code": "f"}, {"id": 7, "code": "f"}, {"id": "7", "code": "g"}]
    functions = write(*rows, name="functions.jsonl")
    fields = Fields(id1="a", id2="a", label=None, functions=functions)
    data = read(write({"a": 7}), fields=fields, require_label=False, skip_bad_rows=True)
    assert [str(bad) for bad in data.bad_rows] == [
        f"{functions}:3: id '7' occurs twice with different code — keep one of them"
    ]


def test_gzip_is_known_by_content(write: Write, tmp_path: Path) -> None:
    plain = write({"func": "f", "target": 0})
    zipped = tmp_path / "no_suffix"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    misnamed = tmp_path / "plain.jsonl.gz"
    misnamed.write_bytes(plain.read_bytes())
    assert read(zipped).examples == read(misnamed).examples == read(plain).examples


def test_bom_carriage_returns_blank_lines_and_no_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"func": "f"}\r\n\r\n  \n{"func": "g"}')
    data = read(path, require_label=False)
    assert [e.text for e in data.examples] == ["f", "g"]
    assert data.lines == (1, 4)


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = gzip.compress(b'{"func": "f"}\n')
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert read(pipe, require_label=False).examples == (Example("f"),)
    writer.join()


def test_sha256_follows_bytes_fields_and_labels_but_not_the_place(write: Write) -> None:
    row = {"func": "f", "code": "g", "target": 1}
    path, copy = write(row), write(row, name="copy.jsonl")
    same = read(path, ("0", "1")).sha256
    assert len(bytes.fromhex(same)) == hashlib.sha256().digest_size
    assert read(copy, ("0", "1")).sha256 == same
    assert read(path, ("a", "b")).sha256 != same
    assert read(path, ("0", "1"), fields=Fields(text="code")).sha256 != same
    assert read(write(row, row), ("0", "1")).sha256 != same


def test_a_missing_field_names_those_there_are(write: Write) -> None:
    path = write({"func": "f", "target": 1, "idx": 3})
    message = error_of(path, fields=Fields(text="code"))
    assert message == (
        ":1: no field 'code'; row has: func, target, idx — name it with --text"
        ", or pass --skip-bad-rows"
    )
    assert "no field 'y'; row has: func, target, idx — name it with --label" in error_of(
        path, fields=Fields(label="y")
    )


BAD_ROWS: list[tuple[Any, str]] = [
    (b"not json", "is not JSON"),
    (b"{", "is not JSON"),
    (b'{"func": "f", "target": 1} trailing', "is not JSON (Extra data"),
    (b'{"func": "raw \x01 control"}', "is not JSON"),
    (b"[1, 2]", "is a list, not a JSON object"),
    (b"null", "is null, not a JSON object"),
    (b"true", "is true, not a JSON object"),
    (b"1", "is 1, not a JSON object"),
    (b"[" * 200_000, "nested too deep"),
    (b'{"a":' * 200_000, "nested too deep"),
    (b'{"func": "\xff\xfe"}', "is not UTF-8"),
    (b'{"func": "f", "func": "g", "target": 1}', "field 'func' occurs twice"),
    (b'{"func": "f", "target": ' + b"1" * 5000 + b"}", "number that is too long"),
    (b'{"func": "f", "target": ' + b"1" * 4000 + b"}", "label 1111"),
    ({}, "row is empty"),
    ({"\n\ud800": 1}, r"row has: '\n\ud800'"),
    ({"func": None, "target": 1}, "is null, not a text"),
    ({"func": 3, "target": 1}, "is 3, not a text"),
    ({"func": ["f"], "target": 1}, "is a list, not a text"),
    ({"func": "", "target": 1}, "is empty"),
    ({"func": " \n\t", "target": 1}, "is empty"),
    ({"func": "f", "target": None}, "label is null"),
    ({"func": "f", "target": True}, "label is true"),
    ({"func": "f", "target": 0.5}, "label is 0.5"),
    (b'{"func": "f", "target": NaN}', "label is nan"),
    (b'{"func": "f", "target": 1e999}', "label is inf"),
    ({"func": "f", "target": [1]}, "label is a list"),
    ({"func": "f", "target": ""}, "label is ''"),
    ({"func": "f", "target": "a\nb"}, r"label is 'a\nb'"),
    ({"func": "f", "target": "\ud800"}, r"label is '\ud800'"),
    ({"func": "f", "target": 2}, "label 2 is not one of 0, 1"),
    ({"func": "f", "target": -1}, "label -1 is not one of 0, 1"),
    ({"func": "f", "target": "x" * 10_000}, "label 'xxx"),
]


@pytest.mark.parametrize(("row", "what"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_bad_row_is_an_error_by_default_and_skipped_on_request(
    write: Write, row: Any, what: str
) -> None:
    good = {"func": "f", "target": 1}
    path = write(good, row, good, row)
    message = error_of(path, labels=("0", "1"))
    assert message.startswith(":2: ")
    assert what in message
    assert " — " in message
    assert message.endswith("or pass --skip-bad-rows (and 1 more bad row)")
    data = read(path, ("0", "1"), skip_bad_rows=True)
    assert data.lines == (1, 3)
    assert [bad.line for bad in data.bad_rows] == [2, 4]
    assert all(what in str(bad) and str(bad).startswith(f"{path}:") for bad in data.bad_rows)


def test_all_rows_bad_is_an_error_even_when_skipping(write: Write) -> None:
    path = write(b"x", b"y")
    message = error_of(path, skip_bad_rows=True)
    assert message.startswith(f": no usable row, 2 bad; the first: {path}:1: is not JSON")


def test_a_line_over_the_limit_is_a_bad_row(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(stream, "BUFFER_BYTES", 64)
    path = write({"func": "f"}, {"func": "f" * 1000}, {"func": "g"}, {"func": "g" * 1000})
    data = read(path, require_label=False, skip_bad_rows=True)
    assert [e.text for e in data.examples] == ["f", "g"]
    assert [(bad.line, bad.what) for bad in data.bad_rows] == [
        (2, "line is over 50 MB"),
        (4, "line is over 50 MB"),
    ]


def test_a_late_nul_byte_is_a_bad_row_and_no_binary_file(write: Write) -> None:
    path = write({"func": "f" * stream.HEAD_BYTES}, b'{"func": "\0"}')
    data = read(path, require_label=False, skip_bad_rows=True)
    assert [bad.line for bad in data.bad_rows] == [2]


def test_surrogates_and_nuls_in_escapes_become_texts_with_a_utf8_form(write: Write) -> None:
    data = read(write(b'{"func": "a\\ud800b\\u0000c \\ud83d\\ude00"}'), require_label=False)
    assert data.examples[0].text == "a?b\0c \N{GRINNING FACE}"
    assert data.examples[0].text.encode()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "holds no rows"),
        (b"\n \n", "holds no rows"),
        (gzip.compress(b"", mtime=0), "holds no rows"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a binary file"),
        (gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), "is a binary file"),
        ('{"func": "f"}'.encode("utf-16"), "is UTF-16 text"),
        (gzip.compress(b'{"func": "f"}\n' * 50, mtime=0)[:-10], "gzip is damaged"),
        (gzip.compress(b'{"func": "f"}\n', mtime=0)[:-8] + b"\0" * 8, "gzip is damaged"),
        (b"\x1f\x8b", "gzip is damaged"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff\xff", "gzip is damaged"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    for skip in (False, True):
        message = error_of(path, require_label=False, skip_bad_rows=skip)
        assert message.startswith(": ")
        assert what in message
        assert " — " in message


def test_missing_file_and_unlabelled_folder(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none.jsonl") == ": no such file — check the path"
    assert "is a folder, which has no labels" in error_of(tmp_path)
    pairs = Fields(text1="a", text2="b")
    assert "is a folder, which has no pairs" in error_of(
        tmp_path, fields=pairs, require_label=False
    )
    functions = Fields(id1="a", id2="b", functions=tmp_path)
    with pytest.raises(DataError, match="is a folder — expected a file of JSON lines"):
        read(tmp_path / "data.jsonl", fields=functions)


def test_permission_denied(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write({"func": "f"})

    def deny(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert error_of(path) == ": permission denied — make it readable (chmod +r)"


def test_a_read_that_fails_later_is_one_line_too(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write({"func": "f"})

    def fail(*_: Any) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(stream._Hashed, "readinto", fail)
    assert error_of(path) == ": cannot be read (Input/output error) — give another file"


def test_labels_may_be_absent_unless_required(write: Write) -> None:
    path = write({"func": "f"}, {"func": "g", "target": None}, {"func": "h", "target": 1})
    data = read(path, ("0", "1"), require_label=False)
    assert [e.label for e in data.examples] == [None, None, 1]
    unlabelled = read(path, fields=Fields(label=None), require_label=False)
    assert (unlabelled.labels, unlabelled.examples[2].label) == ((), None)
    assert error_of(path, labels=("0", "1")).startswith(":1: no field 'target'; row has: func")
    with pytest.raises(OptionError, match="--label"):
        read(path, fields=Fields(label=None))


@pytest.mark.parametrize(
    "given",
    [
        {"text1": "a"},
        {"text2": "a"},
        {"id1": "a"},
        {"id1": "a", "id2": "b"},
        {"functions": Path("f")},
        {"text1": "a", "text2": "b", "id1": "a", "id2": "b", "functions": Path("f")},
        {"text": ""},
        {"text": 3},
        {"label": ""},
    ],
)
def test_fields_that_make_no_sense_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Fields(**given)


texts = st.text().filter(lambda text: bool(text.strip()))


@settings(deadline=None)
@given(st.lists(st.tuples(texts, st.sampled_from(["safe", "unsafe"])), min_size=1, max_size=20))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.jsonl.gz"
    lines = "\n".join(json.dumps({"func": text, "target": label}) for text, label in rows)
    path.write_bytes(gzip.compress(lines.encode()))
    data = read(path, ("safe", "unsafe"))
    assert [(e.text, data.labels[e.label or 0]) for e in data.examples] == rows


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_content_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError):
        read(path)


def test_the_readers_need_only_the_base_install() -> None:
    code = "import sys, codewren.data; print({'torch', 'sklearn'} & sys.modules.keys())"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "set()"
