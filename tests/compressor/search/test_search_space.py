from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from codewren.search import load_space, named_spaces
from codewren_runtime.errors import OptionError

GOOD = """
max_length = 64
vocab_size = [1000, 500]
hidden_size = { start = 10, stop = 30, step = 10 }
num_layers = [1]
num_heads = [1, 4]
intermediate_size = [32]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_the_papers_space_is_whole() -> None:
    space = load_space("paper")
    assert space.size == 10_944_000
    assert space.vocab_size[0] == 1000
    assert space.vocab_size[-1] == 50_000
    assert space.intermediate_size[-1] == 3040
    assert space.max_length == (400,)


@pytest.mark.parametrize("name", named_spaces())
def test_every_space_of_the_package_can_be_loaded(name: str) -> None:
    assert load_space(name).name == name


def test_a_users_space_sorts_its_values_and_takes_its_files_name(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, GOOD))
    assert space.name == "mine"
    assert space.vocab_size == (500, 1000)
    assert space.hidden_size == (10, 20, 30)


def test_combinations_that_do_not_divide_are_left_out(tmp_path: Path) -> None:
    space = load_space(write(tmp_path, GOOD))
    # 4 heads divide 20 only: of 6 pairs 4 are left, times 2 vocabularies.
    assert space.size == 8
    grid = np.stack(np.meshgrid(*(np.arange(len(g)) for g in space.genes)), -1).reshape(
        -1, len(space.genes)
    )
    valid = grid[space.valid(grid)]
    assert len(valid) == space.size
    assert all(space.architecture(row).hidden_size for row in valid)
    with pytest.raises(OptionError, match="divisible"):
        space.architecture([0, 0, 0, 1, 0, 0, 0, 0])


def test_genes_beyond_the_paper_are_left_out_or_searched(tmp_path: Path) -> None:
    assert load_space(write(tmp_path, GOOD)).architecture([0] * 8).family == "roberta"
    more = "embedding_size = [0, 10]\nshared_layers = 1\n"
    space = load_space(write(tmp_path, GOOD + more))
    # An embedding of 10 is narrower than 20 and 30 only: 3 pairs of hidden size and heads more.
    assert space.size == 8 + 6
    assert space.architecture([0, 1, 0, 0, 0, 0, 1, 0]).embedding_size == 10


def test_the_hash_is_of_the_values_not_of_the_name(tmp_path: Path) -> None:
    first = load_space(write(tmp_path, GOOD))
    other = load_space(write(tmp_path, 'name = "other"\n' + GOOD))
    longer = load_space(write(tmp_path, GOOD.replace("64", "65")))
    assert first.sha256 == other.sha256 != longer.sha256


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("max_length = 64", "", "max_length is missing"),
        ("max_length = 64", "max_length = '64'", "max_length"),
        ("num_layers", "layers", "unknown key 'layers'"),
        ("num_layers = [1]", "num_layers = []", "num_layers has no values"),
        ("num_layers = [1]", "num_layers = '1'", "give a number, a list"),
        ("num_layers = [1]", "num_layers = [1]\nshared_layers = [2]", "no value of shared_layers"),
        ("num_layers = [1]", "num_layers = [1]\nembedding_size = [30]", "above embedding_size"),
        ("num_layers = [1]", "num_layers = [0]", "out of range"),
        ("num_layers = [1]", "num_layers = [true]", "out of range"),
        ("num_layers = [1]", "num_layers = [1.5]", "out of range"),
        ("num_layers = [1]", "num_layers = [[1]]", "out of range"),
        ("vocab_size = [1000, 500]", "vocab_size = [100]", "vocab_size: 100 is out of range"),
        ("num_heads = [1, 4]", "num_heads = [7]", "no value of num_heads divides"),
        ("step = 10", "step = 0", "step at least 1"),
        ("stop = 30", "stop = 9", "hidden_size has no values"),
        ("stop = 30", "stop = 99999999999999", "too many"),
        ("step = 10", "by = 10", "start, stop and step"),
        ("max_length", "name = 3\nmax_length", "name must be"),
        ("max_length", "= = =", "is not TOML"),
    ],
)
def test_a_bad_space_is_named_with_its_fault(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(OptionError) as caught:
        load_space(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert says in message
    assert "\n" not in message


def test_a_space_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"papr: no such space or file; .* paper, small, wide"):
        load_space("papr")
    with pytest.raises(OptionError, match="no such space"):
        load_space(tmp_path)


def test_a_binary_file_is_no_space(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="is not TOML"):
        load_space(path)
