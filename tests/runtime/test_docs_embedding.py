"""The page for embedders runs as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import codewren_runtime

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "embedding.md").read_text(encoding="utf-8")


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


def test_every_method_of_a_model_is_on_the_page() -> None:
    methods = {name for name in vars(codewren_runtime.Model) if not name.startswith("_")}
    for name in methods - {"logits", "logits_pair", "task", "labels"}:
        assert f"{name}(" in PAGE, name
