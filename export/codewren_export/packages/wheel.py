"""A wheel with the model and the runtime inside: `import NAME; NAME.predict(code)`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from codewren_export.packages.card import card, summary
from codewren_export.packages.contents import packed
from codewren_export.packages.folders import template, write_files
from codewren_export.packages.runtime_source import runtime_source
from codewren_runtime.bundle import Bundle
from codewren_runtime.errors import MissingExtraError

__all__ = ["DEPENDENCIES", "write_wheel"]

# What codewren itself needs to run a bundle.
DEPENDENCIES = ["numpy>=2.0", "onnxruntime>=1.20", "tokenizers>=0.21"]
PYTHON = ">=3.11"
ONE = """```python
import {name}

prediction = {name}.predict("int f(void) {{ return 0; }}")
print(prediction.label, prediction.probability, prediction.probabilities)
```

`{name}.predict_many(codes)` judges many, lazily; `{name}.model()` is the model itself."""
TWO = """```python
import {name}

prediction = {name}.predict("int f(void) {{ return 0; }}", "int g(void) {{ return 0; }}")
print(prediction.label, prediction.probability, prediction.probabilities)
```

`{name}.embed(code)` and `{name}.compare(embedding, embedding)` read each text once where many \
are compared; `{name}.predict_many(pairs)` judges many, lazily; `{name}.model()` is the model \
itself."""


VECTOR = """```python
import {name}

code = {name}.embed("int f(void) {{ return 0; }}")
print(code @ {name}.embed("return nothing"))  # the cosine: vectors have unit length
```

`{name}.model()` is the model itself."""
USAGE = {"single": ONE, "pair": TWO, "embedding": VECTOR}


def write_wheel(bundle: Bundle, name: str, version: str, licence: str | None, folder: Path) -> None:
    """Build `folder`/NAME-VERSION-py3-none-any.whl.

    Raises MissingExtraError without hatchling.
    """
    try:
        from hatchling.builders.wheel import WheelBuilder
    except ImportError as error:
        raise MissingExtraError("package", "hatchling") from error
    with tempfile.TemporaryDirectory(prefix="codewren-wheel-") as scratch:
        root = Path(scratch)
        write_files(root, _sources(bundle, name, version, licence))
        builder = WheelBuilder(scratch, config=_project(bundle, name, version, licence))
        for _ in builder.build(directory=str(folder), versions=["standard"]):
            pass  # it is a generator


def _sources(
    bundle: Bundle, name: str, version: str, licence: str | None
) -> dict[str, bytes | str]:
    kind = bundle.manifest.task.kind
    usage = USAGE[kind].format(name=name)
    module = template(f"wheel/{kind}.py.txt").read_text(encoding="utf-8")
    fill = {"@name@": name, "@version@": version, "@summary@": _docstring(summary(bundle))}
    for mark, value in fill.items():
        module = module.replace(mark, value)
    runtime = runtime_source(f"{name}._runtime")
    return {
        "README.md": card(bundle, name, usage, licence),
        "LICENSE-codewren": template("LICENSE-codewren").read_bytes(),
        f"{name}/__init__.py": module,
        f"{name}/py.typed": b"",
        f"{name}/model.wren": packed(bundle),
        **{f"{name}/_runtime/{file}": text for file, text in runtime.items()},
        f"{name}/_runtime/py.typed": b"",
    }


def _docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _project(bundle: Bundle, name: str, version: str, licence: str | None) -> dict[str, Any]:
    """What would stand in pyproject.toml."""
    project: dict[str, Any] = {
        "name": name,
        "version": version,
        "description": summary(bundle),
        "readme": "README.md",
        "requires-python": PYTHON,
        "dependencies": DEPENDENCIES,
        "license-files": ["LICENSE-codewren"],
        "keywords": ["code", "onnx", "machine learning"],
        "classifiers": [
            "Programming Language :: Python :: 3",
            "Topic :: Software Development :: Quality Assurance",
            "Typing :: Typed",
        ],
    }
    if licence is not None:
        project["license"] = licence
    # 2.4 brought license-files; later forms are unknown to most indexes and installers.
    wheel = {"packages": [name], "core-metadata-version": "2.4"}
    hatch = {"build": {"ignore-vcs": True, "targets": {"wheel": wheel}}}
    return {"project": project, "tool": {"hatch": hatch}}
