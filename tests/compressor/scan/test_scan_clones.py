"""Groups of clones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codewren.scan import clones
from codewren.scan.clones import NEIGHBOURS, _join, nearest_pairs
from codewren_runtime import load

from .conftest import Scan

BODY = "{\n  int total = 0;\n  for (int i = 0; i < n; i++)\n    total += i;\n  return total;\n}\n"


@given(
    arrays(
        np.float32, st.tuples(st.integers(0, 30), st.just(3)), elements=st.floats(-9, 9, width=16)
    )
)
def test_nearest_pairs_are_each_rows_nearest(rows: np.ndarray) -> None:  # type: ignore[type-arg]
    pairs = {tuple(pair) for pair in nearest_pairs(rows).tolist()}
    assert all(i < j for i, j in pairs)
    count = min(NEIGHBOURS, len(rows) - 1)
    for i, row in enumerate(rows):
        distances = np.sort(np.square(rows.astype(np.float64) - row).sum(axis=1))[1:]
        mine = [pair for pair in pairs if i in pair]
        assert len(mine) >= count
        if count > 0:
            chosen = [np.square(rows[a].astype(np.float64) - rows[b]).sum() for a, b in mine]
            assert sorted(chosen)[:count] == pytest.approx(distances[:count], abs=1e-2)


def test_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    whole = nearest_pairs(rows)
    monkeypatch.setattr(clones, "_BLOCK_VALUES", 700)
    assert (nearest_pairs(rows) == whole).all()


def test_groups_are_joined_from_the_likeliest_and_keep_the_weakest_link() -> None:
    pairs = np.array([[0, 1], [1, 2], [0, 2], [3, 3], [4, 5]])
    groups = list(_join(pairs, np.array([0.9, 0.7, 0.8, 0.95, 0.3]), 0.5, 6))
    assert sorted((sorted(group), p) for group, p in groups) == [([0, 1, 2], 0.8), ([3], 0.95)]


def test_equal_functions_are_clones_whatever_their_indentation(
    tree: Path, scan_tree: Scan, wren: Callable[[str], Path]
) -> None:
    (tree / "x.c").write_text(f"int sum(int n) {BODY}")
    (tree / "y.cpp").write_text(
        f"struct S {{\n  int sum(int n) {BODY.replace(chr(10), chr(10) + '  ')}\n}};\n"
    )
    (tree / "z.c").write_text("int z(int n)\n{\n  if (n)\n    return 1;\n  return 0;\n}\n")
    model = load(wren("pair"))
    text = f"int sum(int n) {BODY}".strip()
    itself = model.predict_pair(text, text).probabilities["vulnerable"]
    result = scan_tree(kind="pair", threshold=itself - 1e-4)
    group = next(f for f in result.findings if {p.file for p in f.places} >= {"x.c", "y.cpp"})
    assert group.probability >= itself - 1e-4
    assert result.functions == 13
    assert scan_tree(kind="pair", threshold=1.0).findings == []


def test_short_functions_are_no_clones(tree: Path, scan_tree: Scan) -> None:
    (tree / "short.c").write_text("int a(void) { return 1; }\nint b(void) { return 1; }\n")
    assert scan_tree(kind="pair").findings == []
    (everything,) = scan_tree(kind="pair", min_lines=1).findings
    assert len(everything.places) == 12


def test_two_scans_agree_and_order_does_not_matter(tree: Path, scan_tree: Scan) -> None:
    whole = scan_tree(kind="pair", min_lines=1, threshold=0.3)
    again = scan_tree("src/h.go", ".", kind="pair", min_lines=1, threshold=0.3, jobs=3)
    assert whole == again


def test_only_a_change_compares_again(
    tree: Path, scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scan_tree(kind="pair", min_lines=1, threshold=0.3)
    with monkeypatch.context() as patch:
        patch.setattr(clones, "_compare", lambda *_: pytest.fail("compared"))
        assert scan_tree(kind="pair", min_lines=1, threshold=0.3) == first
    (tree / "new.c").write_text("int first(int a)\n{\n  return a + 1;\n}\n")
    changed = scan_tree(kind="pair", min_lines=1, threshold=0.3)
    assert any(place.file == "new.c" for f in changed.findings for place in f.places)
    assert changed == scan_tree(kind="pair", min_lines=1, threshold=0.3, use_cache=False)


def test_too_many_functions_are_one_line(
    tree: Path, scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codewren.verbs.scan.MAX_FUNCTIONS", 3)
    with pytest.raises(Exception, match="raise --min-lines"):
        scan_tree(kind="pair", min_lines=1)
