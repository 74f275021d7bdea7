"""The pages for embedders run as they stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import codewren_runtime

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "embedding.md").read_text(encoding="utf-8")


def test_every_example_runs(
    wren: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = wren("single")
    path.rename(path.with_name("model.wren"))
    wren("pair")
    monkeypatch.chdir(path.parent)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) > 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "embedding.md", "exec"), names)
    printed = capsys.readouterr().out
    for said in re.findall(r"print\(error\)  # (?:… )?(.*)", PAGE):
        assert said in printed


def test_the_example_of_code_search_runs(
    wren: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = wren("embedding")
    path.rename(path.with_name("search.wren"))
    monkeypatch.chdir(path.parent)
    page = (DOCS / "code_search.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(block, "code_search.md", "exec"), {})
    assert capsys.readouterr().out.startswith("def ")


def test_every_method_of_a_model_is_on_the_page() -> None:
    methods = {name for name in vars(codewren_runtime.Model) if not name.startswith("_")}
    for name in methods - {"logits", "logits_pair", "task", "labels"}:
        assert f"{name}(" in PAGE, name
