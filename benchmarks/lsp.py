"""From a key to the diagnostics: `compress lsp` with a bundle of 3 MB and a real client over stdio.

The client opens a file of Python's standard library, types into one function after another, in
random order, and waits each time for the diagnostics of that version. Latency is wall time from
sending the edit to receiving them, the server's debounce included; CPU is the server's own for
that edit. The hover explains a function that nobody has asked for yet.

The bundles are untrained students, since speed does not depend on what the weights say: the shape
of the published 3 MB student in fp32, and a shape that fills 3 MB in int8. `--bundle` measures
another. Writes one JSON.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import psutil
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from codewren_runtime.files import write_json
from codewren_runtime.types import Architecture, Example, Task

RESULTS = Path(__file__).parent / "results"
SHAPES = {
    "published shape, fp32": (Architecture(1000, 96, 12, 8, 64, 400), 32),
    "3 MB in int8": (Architecture(4000, 256, 4, 4, 256, 400), 8),
}
DEBOUNCE_MS = 150
PATIENCE, QUIET = 120.0, 4.0  # seconds

Place = tuple[int, int]  # line and column


def untrained_bundle(path: Path, architecture: Architecture, bits: int, texts: list[str]) -> Path:
    from codewren_distill.classifier import load_classifier, save_classifier
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import train_tokenizer
    from codewren_export import Exportable, export_bundle

    tokenizer_json = train_tokenizer(texts, architecture.vocab_size, "structure")
    task = Task("untrained", "single", ("safe", "vulnerable"))
    folder = path.with_suffix("")
    save_classifier(build_student(architecture, task, tokenizer_json, seed=0), folder)
    loaded = load_classifier(folder, attention="eager")
    exportable = Exportable(
        task=task,
        architecture=architecture,
        kind="sequence",
        model=loaded.core,
        head=None,
        tokenizer_json=tokenizer_json,
        sample_texts=[Example(text) for text in texts[:20]],
    )
    export_bundle(exportable, path, quant="int8" if bits == 8 else "fp32")
    return path


class Editor:
    """A client that waits for the diagnostics of one version."""

    def __init__(self, uri: str) -> None:
        self.uri, self.client = uri, LanguageClient("benchmark", "1")
        self._versions: asyncio.Queue[int] = asyncio.Queue()
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(
            lambda params: self._versions.put_nowait(params.version or 0)
        )

    async def start(self, bundle: Path, debounce: int) -> psutil.Process:
        """Start the server and shake hands."""
        command = ["-m", "codewren", "lsp", "--bundle", str(bundle), "--threshold", "0"]
        await self.client.start_io(sys.executable, *command)
        options = {"debounce": debounce}
        await self.client.initialize_async(
            types.InitializeParams(types.ClientCapabilities(), initialization_options=options)
        )
        self.client.initialized(types.InitializedParams())
        return psutil.Process(self.client._server.pid)

    async def open(self, text: str) -> float:
        """Milliseconds until all is published; a large file is published in parts."""
        item = types.TextDocumentItem(self.uri, "python", 1, text)
        begin = last = time.perf_counter()
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        await self._version(1)
        with suppress(TimeoutError):
            while True:
                last = time.perf_counter()
                await asyncio.wait_for(self._versions.get(), QUIET)
        return 1000 * (last - begin)

    async def type(self, version: int, place: Place, text: str) -> None:
        """Insert a text, and wait for the diagnostics of what comes out."""
        position = types.Position(*place)
        change = types.TextDocumentContentChangePartial(types.Range(position, position), text)
        identifier = types.VersionedTextDocumentIdentifier(version, self.uri)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(identifier, [change])
        )
        await self._version(version)

    async def hover(self, place: Place) -> None:
        """Have a function explained."""
        document, position = types.TextDocumentIdentifier(self.uri), types.Position(*place)
        answer = await self.client.text_document_hover_async(types.HoverParams(document, position))
        assert answer is not None

    async def stop(self) -> None:
        """Say goodbye."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    async def _version(self, version: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self._versions.get() < version:
                pass


class Stopwatch:
    """Wall time of this process's waiting, and CPU time of the server, in milliseconds."""

    def __init__(self, server: psutil.Process) -> None:
        self.server = server
        self.wall: list[float] = []
        self.cpu: list[float] = []

    @contextmanager
    def lap(self) -> Iterator[None]:
        """Measure what the block waits for."""
        cpu, begin = self._cpu(), time.perf_counter()
        yield
        self.wall.append(1000 * (time.perf_counter() - begin))
        self.cpu.append(1000 * (self._cpu() - cpu))

    def summary(self) -> dict[str, Any]:
        """The laps as plain JSON values."""
        return {"count": len(self.wall), "wall_ms": _spread(self.wall), "cpu_ms": _spread(self.cpu)}

    def _cpu(self) -> float:
        times = self.server.cpu_times()
        return times.user + times.system


def _spread(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    spread = {"mean": statistics.fmean(values), "p50": cuts[49], "p90": cuts[89], "p99": cuts[98]}
    return {name: round(value, 1) for name, value in (spread | {"max": max(values)}).items()}


def names(text: str) -> list[Place]:
    """Where the name of each function begins."""
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
    return [(f.lineno - 1, f.col_offset + len("def ")) for f in functions]


async def measure(bundle: Path, source: Path, debounce: int, edits: int) -> dict[str, Any]:
    text = source.read_text(encoding="utf-8")
    editor = Editor(source.as_uri())
    server = await editor.start(bundle, debounce)
    typing, hovering = Stopwatch(server), Stopwatch(server)
    opened_ms = await editor.open(text)
    random, places = Random(0), names(text)
    for version in range(2, edits + 2):
        place = random.choice(places)
        with typing.lap():
            await editor.type(version, place, "x")
        if version % 10 == 0:
            with hovering.lap():
                await editor.hover(place)
    resident = server.memory_info().rss
    await editor.stop()
    return {
        "debounce_ms": debounce,
        "functions": len(places),
        "open_wall_ms": round(opened_ms, 1),
        "edit": typing.summary(),
        "hover": hovering.summary(),
        "resident_bytes": resident,
    }


def report(name: str, bundle: Path, source: Path, edits: int) -> list[dict[str, Any]]:
    rows = []
    for debounce in (0, DEBOUNCE_MS):
        row = asyncio.run(measure(bundle, source, debounce, edits))
        wall, cpu, hover = row["edit"]["wall_ms"], row["edit"]["cpu_ms"], row["hover"]["wall_ms"]
        print(
            f"| {name} | {bundle.stat().st_size:,} | {debounce} ms | {wall['p50']:.0f} / "
            f"{wall['p90']:.0f} / {wall['p99']:.0f} / {wall['max']:.0f} | {cpu['mean']:.0f} "
            f"| {hover['p50']:.0f} | {row['open_wall_ms']:.0f} |",
            flush=True,
        )
        rows.append({"bundle": name, "bundle_bytes": bundle.stat().st_size, **row})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, help="measure this bundle alone")
    parser.add_argument("--edits", type=int, default=100, help="edits per bundle and debounce")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON")
    arguments = parser.parse_args()
    if arguments.edits < 20:
        parser.error("--edits must be at least 20")
    source = Path(argparse.__file__)
    print("| bundle | bytes | debounce | edit p50 / p90 / p99 / max, ms | CPU, ms | hover, ms "
          "| open, ms |\n| --- | --- | --- | --- | --- | --- | --- |")  # fmt: skip
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        if arguments.bundle is not None:
            bundles = {arguments.bundle.name: arguments.bundle}
        else:
            text = source.read_text(encoding="utf-8")
            nodes = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef))
            texts = [ast.get_source_segment(text, node) or "" for node in nodes]
            bundles = {
                name: untrained_bundle(Path(folder) / f"{bits}.wren", architecture, bits, texts)
                for name, (architecture, bits) in SHAPES.items()
            }
        for name, bundle in bundles.items():
            rows += report(name, bundle, source, arguments.edits)
    machine = {"machine": platform.machine(), "python": platform.python_version()}
    write_json(arguments.out / "lsp.json", {"source": source.name, **machine, "rows": rows})


if __name__ == "__main__":
    main()
