"""Rows that lie in a file are the rows that lay in memory."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.data import Fields, read_examples
from codewren.data import store as module
from codewren.data.store import Gathering, Picked
from codewren.pipeline import sample
from codewren_distill.vocabulary import DistinctTexts
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Example

TEXT = st.text(st.characters(), max_size=9)
ROW = st.tuples(
    st.lists(TEXT, min_size=1, max_size=2).map(tuple),
    st.none() | st.tuples(TEXT),
    st.none() | st.sampled_from(["a", "b", "c"]),
)


@given(st.lists(ROW, max_size=12), st.integers(0, 60))
def test_a_limit_changes_nothing(
    rows: list[tuple[tuple[str, ...], tuple[str, ...] | None, str | None]], limit: int
) -> None:
    kept, stored = Gathering(), Gathering(limit)
    for row in rows:
        kept.add(*row)
        stored.add(*row)
    names = ("c", "a", "b")
    assert kept.names == stored.names == {name for *_, name in rows if name}
    expected = tuple(
        Example(texts[0], texts[1] if texts[1:] else None,
                None if name is None else names.index(name), original)
        for texts, original, name in rows
    )  # fmt: skip
    assert len(stored) == len(rows)
    assert kept.examples(names) == expected
    lazy = stored.examples(names)
    assert tuple(lazy) == expected
    assert list(lazy[::-2]) == list(expected[::-2])
    assert [*Picked(lazy, range(1, len(rows)))] == list(expected[1:])


def test_a_data_set_beyond_memory_is_read_as_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"func": f"int f{i % 7}() {{}}", "target": i % 3, "id": i} for i in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    fields = Fields(id="id")
    small = read_examples(path, fields, None, require_label=True)
    monkeypatch.setattr(module.Gathering.__init__, "__defaults__", (100,))
    large = read_examples(path, fields, None, require_label=True)
    assert isinstance(small.examples, tuple)
    assert not isinstance(large.examples, tuple)
    assert tuple(large.examples) == small.examples
    assert (large.lines, large.sha256, large.labels, large.ids) == (
        small.lines, small.sha256, small.labels, small.ids,
    )  # fmt: skip
    assert tuple(sample(large, 9, 0).examples) == tuple(sample(small, 9, 0).examples)
    assert list(DistinctTexts(large.examples)) == [f"int f{i}() {{}}" for i in range(7)]
    source = tmp_path / "sources"
    source.mkdir()
    for i in range(9):
        (source / f"{i}.py").write_text(f"def f{i}(x):\n    return x + {i}\n")
    assert [e.text for e in read_examples(source, Fields(label=None), None,
                                          require_label=False).examples] == [
        f"def f{i}(x):\n    return x + {i}" for i in range(9)
    ]  # fmt: skip
    del large
    gc.collect()  # an unclosed file would be a warning, which is an error here


def test_no_room_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    gathering = Gathering(0)
    gathering.add(("int a;",))

    def full(_: bytes) -> int:
        raise OSError(28, "No space left on device")

    assert gathering._texts is not None
    monkeypatch.setattr(
        gathering._texts, "_file", type("Full", (), {"write": staticmethod(full)})()
    )
    with pytest.raises(OptionError, match="set TMPDIR"):
        gathering.add(("x" * (module.BUFFER + 1),))
