"""The hand-made bundles of the runtime's tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

RUNTIME = Path(__file__).parents[1] / "runtime" / "conftest.py"


def _runtime_fixtures() -> Any:
    spec = importlib.util.spec_from_file_location("runtime_fixtures", RUNTIME)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_fixtures = _runtime_fixtures()
tokenizer_json, parts_of, wren = _fixtures.tokenizer_json, _fixtures.parts_of, _fixtures.wren
