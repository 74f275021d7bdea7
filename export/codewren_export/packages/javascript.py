"""The JavaScript that both the npm package and the page hold, and what it was tested against."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

from codewren_export.packages.contents import model_files
from codewren_export.packages.folders import template
from codewren_runtime.bundle import HEAD, MANIFEST, TOKENIZER, Bundle, FileInfo
from codewren_runtime.errors import BundleError
from codewren_runtime.model import Model

__all__ = ["expected", "sources"]

HEAD_LINE = f'  "{HEAD}": new URL("./model/{HEAD}", import.meta.url),\n'

# What JavaScript and Python see differently: white space, tabs, case, characters of two units.
SAMPLES = (
    "int add(int a, int b) {\n\treturn a + b;\n}\n",
    "def f(items):\r\n    return [item for item in items if item]\r\n",
    "",
    "\ufefflet s = 'na\u00efve \U0001f426 \u03a3\u03a3';\x0b\x1c\x85 // \u2028 </s> <s>",
    "x\t=\t1;\n" * 300,
)


def sources(bundle: Bundle) -> dict[str, bytes | str]:
    """The modules and the model's files, by path."""
    _check_tokenizer(bundle)
    texts: dict[str, bytes | str] = dict(_files(template("javascript"), ""))
    files = model_files(bundle)
    manifest = FileInfo.of(files[MANIFEST])
    index = str(texts["index.js"]).replace("@head@", HEAD_LINE if bundle.head else "")
    index = index.replace("@sha256@", manifest.sha256).replace("@bytes@", str(manifest.size))
    return texts | {"index.js": index} | {f"model/{name}": data for name, data in files.items()}


def _check_tokenizer(bundle: Bundle) -> None:
    """BundleError where places in the text are not where JavaScript would find them.

    Stricter than a bundle has to be; `compress export` writes no such tokenizer.
    """
    post = json.loads(bundle.tokenizer_json)["post_processor"]
    if post and post.get("trim_offsets"):
        raise BundleError(
            f"{bundle.path}: {TOKENIZER} trims offsets, which the JavaScript runtime does not; "
            "export it again"
        )


def expected(bundle: Bundle) -> dict[str, Any]:
    """Python's own answers for a few texts, for the package's test."""
    model = Model(bundle)
    if model.task.kind == "embedding":
        return {"rows": [{"texts": [t], "embedding": model.embed(t).tolist()} for t in SAMPLES]}
    pair = model.task.kind == "pair"
    rows = []
    for text, other in zip(SAMPLES, (*SAMPLES[1:], SAMPLES[0]), strict=True):
        texts = [text, other] if pair else [text]
        answer = model.predict_pair(*texts) if pair else model.predict(text)
        rows.append({"texts": texts, "label": answer.label, "probability": answer.probability})
    return {"rows": rows}


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_text(encoding="utf-8")
