"""A folder that any static server serves: a page that runs the model in the browser, offline."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import as_file
from pathlib import Path

from codewren_export.packages.card import licence_line, limits, summary
from codewren_export.packages.folders import template, write_files
from codewren_export.packages.javascript import sources
from codewren_export.packages.node_modules import node_modules
from codewren_runtime.bundle import Bundle
from codewren_runtime.errors import OptionError

__all__ = ["IMPORTS", "write_web"]

# What is copied from each npm package, licences beside it where the package has one.
VENDOR = {
    "@huggingface/tokenizers": ("dist/tokenizers.min.mjs", "LICENSE"),
    "@noble/hashes": ("sha2.js", "_md.js", "_u64.js", "utils.js", "LICENSE"),
    "onnxruntime-web": (
        "dist/ort.wasm.min.mjs",
        "dist/ort-wasm-simd-threaded.mjs",
        "dist/ort-wasm-simd-threaded.wasm",
    ),
}
IMPORTS = {
    "#onnxruntime": "./vendor/onnxruntime-web/ort.wasm.min.mjs",
    "#read-bytes": "./wren/src/read-web.js",
    "@huggingface/tokenizers": "./vendor/@huggingface/tokenizers/tokenizers.min.mjs",
    "@noble/hashes/sha2.js": "./vendor/@noble/hashes/sha2.js",
    "@noble/hashes/utils.js": "./vendor/@noble/hashes/utils.js",
}
BOXES = {
    "single": (("code", "Code"),),
    "pair": (("code1", "One code"), ("code2", "The other code")),
}
VERBS = {"single": "Judge", "pair": "Compare"}


def write_web(bundle: Bundle, name: str, version: str, licence: str | None, folder: Path) -> None:
    """Fill `folder` with the page titled `name`.

    Raises OptionError for a model of embeddings, or where npm does not answer.
    """
    if bundle.manifest.task.kind == "embedding":
        raise OptionError(
            f"{bundle.path}: gives embeddings, and a page judges code; make a wheel or an npm "
            "package"
        )
    with as_file(template("web")) as project:
        vendor = _vendor(node_modules(project))
    ours = {file: template(f"web/{file}").read_bytes() for file in ("page.js", "style.css")}
    model = {f"wren/{path}": data for path, data in sources(bundle).items()}
    del model["wren/index.d.ts"], model["wren/src/read-node.js"]
    notice = {"LICENSE-codewren": template("LICENSE-codewren").read_bytes()}
    page = {"index.html": _page(bundle, name, version, licence)}
    write_files(folder, {**page, **ours, **notice, **model, **vendor})


def _vendor(modules: Path) -> dict[str, bytes]:
    """The libraries' files, and what they are."""
    files: dict[str, bytes] = {}
    lines = []
    for package, names in VENDOR.items():
        about = json.loads((modules / package / "package.json").read_bytes())
        lines.append(f"{package} {about['version']}, licence {about['license']}\n")
        for name in names:
            data = (modules / package / name).read_bytes()
            files[f"vendor/{package}/{Path(name).name}"] = data
    return files | {"vendor/LIBRARIES.txt": "".join(lines).encode()}


def _page(bundle: Bundle, name: str, version: str, licence: str | None) -> str:
    kind = bundle.manifest.task.kind
    importmap = json.dumps({"imports": IMPORTS})
    # The page may run this very map and the modules beside it, and talk to its own server only.
    digest = base64.b64encode(hashlib.sha256(importmap.encode()).digest()).decode()
    boxes = [_fill("box.html", {"id": id_, "caption": text}) for id_, text in BOXES[kind]]
    values = {
        "importmap_sha256": digest,
        "importmap": importmap,
        "title": html.escape(name),
        "summary": html.escape(summary(bundle)),
        "version": version,
        "licence": html.escape(licence_line(licence)),
        "verb": VERBS[kind],
        "boxes": "".join(boxes).strip(),
        "limits": "\n".join(f"<li>{html.escape(line)}</li>" for line in limits(bundle.manifest)),
    }
    return _fill("index.html", values)


def _fill(name: str, values: dict[str, str]) -> str:
    """A template with each `@key@` replaced, in one pass: values may hold such marks."""
    pieces = template(f"web/{name}").read_text(encoding="utf-8").split("@")
    return "".join(values[piece] if at % 2 else piece for at, piece in enumerate(pieces))
