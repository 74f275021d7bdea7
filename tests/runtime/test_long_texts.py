"""Texts beyond the window: cut without changing an id, or split without losing one."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren_runtime import Decision, Model, load
from codewren_runtime._splitting import best_cut
from codewren_runtime.text import normalise
from codewren_runtime.tokenizer import MAX_WINDOWS, CodeTokenizer
from codewren_runtime.types import Normalisation

MODES: tuple[Normalisation, ...] = get_args(Normalisation)
PIECES = [
    "if (x) {", "}", ";", "\n", "\r\n", "\t", "    ", " ", "return first", "add(second)", "é", "🐛",
    "0x1F", "// note", "''", "Σ", "\n\n", "\x00", "\u2028", "don't", "\x0c", "{{{{", "======",
]  # fmt: skip
codes = st.lists(st.sampled_from(PIECES), max_size=400).map("".join)


@pytest.fixture(scope="module", params=MODES)
def tokenizer(request: pytest.FixtureRequest, tokenizer_json: str) -> CodeTokenizer:
    return CodeTokenizer(tokenizer_json, 16, request.param)


def _all_ids(tokenizer: CodeTokenizer, text: str) -> list[int]:
    whole = normalise(text, tokenizer.normalisation)
    return list(tokenizer._tokenizer.encode(whole, add_special_tokens=False).ids)


@given(code=codes)
def test_ids_are_the_first_of_the_whole_texts(tokenizer: CodeTokenizer, code: str) -> None:
    room = tokenizer.max_length - 2
    assert tokenizer.encode(code)[1:-1] == _all_ids(tokenizer, code)[:room]


@given(text=st.text(max_size=600))
def test_ids_of_any_text_are_the_first_of_the_whole_texts(
    tokenizer: CodeTokenizer, text: str
) -> None:
    room = tokenizer.max_length - 2
    assert tokenizer.encode(text)[1:-1] == _all_ids(tokenizer, text)[:room]


def test_long_tokens_do_not_leave_the_window_half_empty(tokenizer_json: str) -> None:
    """Where nine characters a token are too few, more of the text is read."""
    tokenizer = CodeTokenizer(tokenizer_json, 16, "structure")
    text = "return first\n" * 5 + "        " * 300 + "x = 1\n" * 40
    assert tokenizer.encode(text)[1:-1] == _all_ids(tokenizer, text)[:14]
    assert len(tokenizer.encode(" " * 5_000 + "x = 1")) > 4


@given(code=codes)
def test_windows_hold_every_token_of_a_text(tokenizer: CodeTokenizer, code: str) -> None:
    windows = tokenizer.windows(code)
    whole = normalise(code, tokenizer.normalisation)
    shown = "".join(tokenizer._tokenizer.decode(window[1:-1]) for window in windows)
    assert all(2 <= len(window) <= tokenizer.max_length for window in windows)
    if len(windows) < MAX_WINDOWS:  # a line's end between two windows is dropped
        assert shown.replace("\n", "") == whole.replace("\n", "")
    if len(windows) == 1:
        assert windows == [tokenizer.encode(code)]
    else:
        assert all(len(window) > tokenizer.max_length // 2 for window in windows[:-1])


def test_windows_are_bounded(tokenizer: CodeTokenizer) -> None:
    assert len(tokenizer.windows("x = y;\n" * 10_000)) == MAX_WINDOWS
    assert len(tokenizer.windows("+" * 1_000_000)) == MAX_WINDOWS


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("int a;\nint f() {\n  x;\n}\nint b", "\nint b"),  # after a block, not within it
        ("a = 1\nif b:\n    c = 2\nd = 3 +", "\nd = 3 +"),  # before a dedent
        ("call(first,\n  second,\n  third", "\n  third"),  # a line's end
        ("int f() { int a; int b = a + a", " int b = a + a"),  # a statement's end
        ("word another third", "third"),
        ("abcdef", "f"),
    ],
)
def test_a_cut_tears_as_little_syntax_as_it_can(text: str, begins: str) -> None:
    assert text[best_cut(text, range(1, len(text))) :] == begins


HOSTILE = {
    "braces": "{" * 1_000_000,
    "one line of 100 MB": "a" * 100_000_000,
    "white space": " \n" * 20_000_000,
    "NULs": "\0" * 1_000_000,
    "lone surrogates": "\ud800" * 1_000_000,
    "combining marks": "a" + "\u0301" * 1_000_000,
    "right to left": "\u202e" * 1_000_000,
    "bytes as they come": bytes(range(256)).decode("latin-1") * 4_000,
    "empty": "",
}
SCRIPT = """
import sys
from codewren_runtime import load
from test_long_texts import HOSTILE
model = load(sys.argv[1])
for text in HOSTILE.values():
    model.predict(text)
"""


def _with(write: Any, kind: str, **fields: Any) -> Model:
    return load(write(lambda manifest: manifest.update(fields), kind))


@pytest.mark.parametrize("way", ["truncate", "split-mean"])
def test_hostile_texts_are_answered_within_bounds(lie: Callable[..., Path], way: str) -> None:
    path = lie(lambda manifest: manifest.update(long_inputs=way))

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
        resource.setrlimit(resource.RLIMIT_AS, (3_000_000_000, 3_000_000_000))

    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n{SCRIPT}", str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    assert done.returncode == 0, done.stderr


def test_split_logits_are_the_mean_by_tokens(lie: Callable[..., Path]) -> None:
    model = _with(lie, "single", long_inputs="split-mean")
    text = "first = second\n" * 60
    windows = model._tokenizer.windows(text)
    assert len(windows) > 2
    each = np.array([model._encode(tuple(ids)) for ids in windows])
    tokens = np.array([len(ids) - 2 for ids in windows])
    expected = (each * tokens[:, None]).sum(0) / tokens.sum()
    np.testing.assert_allclose(model.logits(text), expected, rtol=1e-5)
    assert model.logits(text).dtype == np.float32


def test_split_embeddings_are_the_mean_by_tokens(lie: Callable[..., Path]) -> None:
    model = _with(lie, "pair", long_inputs="split-mean")
    text = "first = second\n" * 60
    windows = model._tokenizer.windows(text)
    each = np.array([model._encode(tuple(ids)) for ids in windows])
    tokens = np.array([len(ids) - 2 for ids in windows])
    expected = (each * tokens[:, None]).sum(0) / tokens.sum()
    np.testing.assert_allclose(model.embed(text), expected, rtol=1e-5)
    assert model.predict_pair(text, text) == model.compare(model.embed(text), model.embed(text))


def test_split_max_is_the_window_likeliest_to_be_positive(
    make: Any, parts_of: Any, tmp_path: Path
) -> None:
    parts = {**parts_of("single"), "model.onnx": make.text_onnx("single", labels=2)}
    manifest = make.manifest_of(parts, "single")
    manifest["task"]["labels"] = ["safe", "vulnerable"]
    manifest["long_inputs"] = "split-max"
    manifest["decision"] = Decision(1.0, "safe", 0.5).to_json()
    entries = {**parts, "manifest.json": json.dumps(manifest).encode()}
    model = load(make.write_zip(tmp_path / "two.wren", list(entries.items())))
    text = "".join(f"name{i} = {'call' * (i % 5)}({i})\n" for i in range(50))
    each = [model._encode(tuple(ids)) for ids in model._tokenizer.windows(text)]
    assert len(each) > 2
    np.testing.assert_array_equal(model.logits(text), max(each, key=lambda a: a[0] - a[1]))


def test_short_texts_are_answered_alike_in_every_way(lie: Callable[..., Path]) -> None:
    one = _with(lie, "single", long_inputs="truncate").logits("return first")
    other = _with(lie, "single", long_inputs="split-mean").logits("return first")
    np.testing.assert_array_equal(one, other)
