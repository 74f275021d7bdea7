"""Token ids on disk are those in memory, whatever was killed and whatever lay there before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren_distill import token_file as module
from codewren_distill.classifier import Classifier
from codewren_distill.labelling import label_examples
from codewren_distill.scoring import encode_all
from codewren_distill.text_side import Encoded, SiameseText
from codewren_distill.token_file import token_file
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Example

from .conftest import texts


class Numbers:
    """Stands for a text side: a row's text holds its ids."""

    def __init__(self, sides: int, vocab_size: int) -> None:
        self.sides, self.vocab_size, self.asked = sides, vocab_size, 0

    @property
    def tokenizer(self) -> Numbers:
        return self

    def encode(self, example: Example) -> Encoded:
        self.asked += 1
        parts = example.text.split("|")
        return tuple(tuple(map(int, part.split())) for part in parts)


@given(
    st.integers(1, 3).flatmap(
        lambda sides: st.lists(
            st.lists(
                st.lists(st.integers(0, 2**17 - 1), max_size=6), min_size=sides, max_size=sides
            ),
            min_size=1,
            max_size=9,
        )
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[list[int]]]
) -> None:
    examples = [Example("|".join(" ".join(map(str, part)) for part in row)) for row in rows]
    folder = tmp_path_factory.mktemp("tokens")
    made = token_file(folder, "k", Numbers(len(rows[0]), 2**17), examples)
    assert list(made) == [tuple(map(tuple, row)) for row in rows]
    assert made[-1] == made[len(rows) - 1]
    assert made[::2] == list(made)[::2]
    assert made.lengths.tolist() == [max(map(len, row)) for row in rows]
    with pytest.raises(IndexError):
        made[len(rows)]


def test_small_vocabularies_take_two_bytes_an_id(tmp_path: Path) -> None:
    row = [Example("1 2 65535")]
    for vocabulary, size in ((1 << 16, 6), ((1 << 16) + 1, 12)):
        folder = tmp_path / str(vocabulary)
        assert token_file(folder, "k", Numbers(1, vocabulary), row)[0] == ((1, 2, 65535),)
        assert (folder / "tokens.ids").stat().st_size == size
    with pytest.raises(OverflowError):  # never another id than was meant
        token_file(tmp_path / "x", "k", Numbers(1, 10), [Example("65536")])


@pytest.mark.parametrize("damage", ["none", "half a row", "ids lost", "another key", "no key"])
def test_a_killed_run_goes_on(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    examples = [Example(f"{i} {i + 1}|{i}") for i in range(19)]
    killed = Numbers(2, 100)
    real = killed.encode

    def encode(example: Example) -> Encoded:
        if killed.asked == 14:
            raise KeyboardInterrupt
        return real(example)

    killed.encode = encode  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        token_file(tmp_path, "k", killed, examples)
    ids, ends = tmp_path / "tokens.ids", tmp_path / "tokens.ends"
    if damage == "half a row":
        ends.write_bytes(ends.read_bytes()[:-11])
        ids.write_bytes(ids.read_bytes() + b"\1")
    elif damage == "ids lost":
        ids.write_bytes(ids.read_bytes()[:-1])
    elif damage == "no key":
        (tmp_path / "tokens.key").unlink()
    resumed = Numbers(2, 100)
    made = token_file(tmp_path, "other" if damage == "another key" else "k", resumed, examples)
    assert list(made) == [((i, i + 1), (i,)) for i in range(19)]
    kept = {"none": 12, "half a row": 11}.get(damage, 0)
    assert resumed.asked == 19 - kept + 1  # the first row once more, for the number of its parts


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="make room") as caught:
        token_file(tmp_path / "file" / "tokens", "k", Numbers(1, 9), [Example("1")])
    assert "\n" not in str(caught.value)


def test_texts_and_pairs_are_encoded_as_in_memory(
    single: Classifier,
    pair: Classifier,
    single_examples: list[Example],
    pair_examples: list[Example],
    tmp_path: Path,
) -> None:
    for model, rows in ((single, single_examples), (pair, pair_examples)):
        made = token_file(tmp_path / model.task.kind, "k", model.text, rows)
        assert list(made) == encode_all(model, rows)


def test_a_teacher_killed_while_it_reads_labels_the_same(
    single: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 8)
    examples = [Example(text) for text in texts(40)]
    whole = label_examples(single, "t", examples, tmp_path / "whole.safetensors")
    asked: list[Example] = []
    encode: Callable[[SiameseText, Example], Encoded] = SiameseText.encode

    def killed(text: SiameseText, example: Example) -> Encoded:
        asked.append(example)
        if len(asked) == 20:
            raise KeyboardInterrupt
        return encode(text, example)

    path = tmp_path / "parts.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(SiameseText, "encode", killed)
        with pytest.raises(KeyboardInterrupt):
            label_examples(single, "t", examples, path)
    assert (tmp_path / "parts.tokens" / "tokens.ends").stat().st_size == 16 * 8
    soft = label_examples(single, "t", examples, path)
    assert not (tmp_path / "parts.tokens").exists()
    assert np.array_equal(soft.matrix(examples), whole.matrix(examples))
