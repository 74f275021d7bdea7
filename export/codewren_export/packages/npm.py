"""An npm package with the model inside: an ES module for Node and for bundlers of web pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codewren_export.packages.card import card, summary
from codewren_export.packages.folders import template, write_files
from codewren_export.packages.javascript import expected, sources
from codewren_runtime.bundle import Bundle

__all__ = ["write_npm"]

# Token ids were compared with this very version; the others follow semantic versioning.
DEPENDENCIES = {"@huggingface/tokenizers": "0.2.0", "@noble/hashes": "^2.0.1"}
ONNXRUNTIMES = {"onnxruntime-node": "^1.20.0", "onnxruntime-web": "^1.20.0"}
ONE = """```js
import {{ load }} from "{name}";

const model = await load();
const {{ label, probability, probabilities }} = await model.predict("int f(void) {{ return 0; }}");
```"""
TWO = """```js
import {{ load }} from "{name}";

const model = await load();
const {{ label, probability }} = await model.predictPair(code, other);

// Where many are compared, read each once:
const [first, second] = [await model.embed(code), await model.embed(other)];
await model.compare(first, second);
```"""
VECTOR = """```js
import {{ load }} from "{name}";

const model = await load();
const [code, query] = [await model.embed("int f(void) {{ return 0; }}"), await model.embed("zero")];
const cosine = code.reduce((sum, value, i) => sum + value * query[i], 0); // unit length
```"""
USAGE = {"single": ONE, "pair": TWO, "embedding": VECTOR}
INSTALL = """

It runs on `onnxruntime-node` in Node and on `onnxruntime-web` (WebAssembly, CPU) in a browser; \
install the one that you need beside it:

```sh
npm install {name} onnxruntime-node --ignore-scripts
```

`--ignore-scripts` leaves out a download for GPUs, which this package does not use. Where a \
bundler does not follow `new URL(…, import.meta.url)`, serve the folder `model/` and give its \
address: `load({{ base: "https://…/model/" }})`. `npm test` compares the answers here with \
Python's."""


def write_npm(bundle: Bundle, name: str, version: str, licence: str | None, folder: Path) -> None:
    """Fill `folder` with a package that `npm pack`, `npm publish` and `npm install` take."""
    usage = USAGE[bundle.manifest.task.kind] + INSTALL
    write_files(
        folder,
        {
            **sources(bundle),
            "package.json": _json(_package(bundle, name, version, licence)),
            "README.md": card(bundle, name, usage.format(name=name), licence),
            "LICENSE-codewren": template("LICENSE-codewren").read_bytes(),
            "test/expected.json": _json(expected(bundle)),
            "test/test.js": template("npm/test.js").read_bytes(),
        },
    )


def _package(bundle: Bundle, name: str, version: str, licence: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "description": summary(bundle),
        "license": licence or "SEE LICENSE IN README.md",
        "keywords": ["code", "onnx", "machine-learning"],
        "type": "module",
        "exports": {
            ".": {"types": "./index.d.ts", "default": "./index.js"},
            "./model/*": "./model/*",
            "./package.json": "./package.json",
        },
        "imports": {
            "#onnxruntime": {"node": "onnxruntime-node", "default": "onnxruntime-web/wasm"},
            "#read-bytes": {"node": "./src/read-node.js", "default": "./src/read-web.js"},
        },
        "files": ["index.js", "index.d.ts", "src", "model", "test", "LICENSE-codewren"],
        "sideEffects": False,
        "scripts": {"test": "node --test test/test.js"},
        "engines": {"node": ">=20.19"},
        "dependencies": DEPENDENCIES,
        "peerDependencies": ONNXRUNTIMES,
        "peerDependenciesMeta": {runtime: {"optional": True} for runtime in ONNXRUNTIMES},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True) + "\n"
