"""Keeps the findings of open documents up to date, off the thread that talks to the editor.

Everything but the work itself runs on the event loop's thread, so nothing here needs a lock. A
document has at most one task; a change cancels it and starts another. A task waits until typing
has paused, finds the functions, does the engine's jobs one at a time so that documents take
turns, and publishes only if the document is still the one that it looked at.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from codewren.kept import languages_of
from codewren.lsp.documents import Document
from codewren.lsp.engine import Engine, Finding, View
from codewren.lsp.lines import Place
from codewren.lsp.located import Located, innermost, locate, resolve_language
from codewren.lsp.pairs import PairEngine
from codewren.lsp.settings import Settings
from codewren.lsp.single import SingleEngine
from codewren.source import Language
from codewren.target import require_labels
from codewren_runtime import read_bundle
from codewren_runtime.errors import CodewrenError, OptionError

__all__ = ["Watch"]

# One scores while another finds functions; more would take the editor's cores.
THREADS = 2
# A large file shows what is known so far, so often.
PARTIAL_SECONDS = 1.0

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
log = logging.getLogger(__name__)


class Watch:
    """The open documents, the bundle that judges them, and the tasks that bring both together.

    `publish(document, findings)` and `say(line)` are called on the event loop's thread.
    """

    def __init__(
        self,
        publish: Callable[[Document, list[Finding]], None],
        say: Callable[[str], None],
    ) -> None:
        self.settings = Settings()
        self._publish, self._tell = publish, say
        self._told = ""
        self._pool = ThreadPoolExecutor(THREADS, "judge")
        # Takes up to a second each time, so explanations wait for each other and for nothing else.
        self._explainer = ThreadPoolExecutor(1, "explain")
        self._documents: dict[str, Document] = {}
        self._located: dict[str, tuple[Document, list[Located]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._engine: asyncio.Task[Engine | None] | None = None

    def configure(self, settings: Settings) -> None:
        """Go by these settings from now on: every open document is judged again."""
        if self._engine is None or settings.bundle != self.settings.bundle:
            self._engine = asyncio.create_task(self._load(settings.bundle))
            self._located.clear()  # another bundle may judge other languages
        self.settings, self._told = settings, ""
        for uri in self._documents:
            self._schedule(uri, 0)

    def get(self, uri: str) -> Document | None:
        """The open document as it is now."""
        return self._documents.get(uri)

    def put(self, document: Document, *, typing: bool) -> None:
        """A document was opened, or changed; while `typing`, wait for a pause."""
        self._documents[document.uri] = document
        self._schedule(document.uri, self.settings.debounce if typing else 0)

    def hurry(self, uri: str) -> None:
        """A document was saved: there is no more to wait for."""
        if uri in self._documents:
            self._schedule(uri, 0)

    def remove(self, uri: str) -> None:
        """A document was closed: its findings go, and nothing is like its functions any more."""
        if task := self._tasks.pop(uri, None):
            task.cancel()
        self._located.pop(uri, None)
        if document := self._documents.pop(uri, None):
            self._publish(replace(document, text=""), [])
        if self._engine is not None and self._engine.done():
            engine = self._engine.result()
            for other in self._documents if engine is not None and engine.joint else ():
                self._schedule(other, 0)

    async def explain(self, uri: str, place: Place) -> tuple[Located, str] | None:
        """The function at a place, and in Markdown why it has its score; None if there is none."""
        document, engine = self._documents.get(uri), await self._ready()
        if document is None or engine is None:
            return None
        functions = await self._functions(document)
        function = innermost(functions, place)
        if function is None:
            return None
        view = View(uri, {**self._open(), uri: functions}, self.settings.threshold)
        loop = asyncio.get_running_loop()
        return function, await loop.run_in_executor(self._explainer, engine.explain, view, function)

    def close(self) -> None:
        """Begin no more work."""
        for task in self._tasks.values():
            task.cancel()
        for pool in (self._pool, self._explainer):
            pool.shutdown(wait=False, cancel_futures=True)

    def _schedule(self, uri: str, milliseconds: int) -> None:
        if task := self._tasks.get(uri):
            task.cancel()
        task = asyncio.create_task(self._check(uri, milliseconds / 1000))
        task.add_done_callback(self._done)
        self._tasks[uri] = task

    async def _check(self, uri: str, delay: float) -> None:
        """Bring the findings of a document up to date, and of those that depend on it."""
        await asyncio.sleep(delay)
        document, engine = self._documents[uri], await self._ready()
        if engine is None or not await self._functions(document):
            self._show(document, [])
            return
        try:
            await self._work(engine, document)
            for other in self._open() if engine.joint else [uri]:
                await self._judge(engine, other)
        except CodewrenError as error:
            self._say(str(error))
            self._show(document, [])

    async def _work(self, engine: Engine, document: Document) -> None:
        loop = asyncio.get_running_loop()
        begin = shown = loop.time()
        for job in engine.jobs(View(document.uri, self._open(), self.settings.threshold)):
            await self._run(job)
            if loop.time() - shown > PARTIAL_SECONDS:
                await self._judge(engine, document.uri)
                shown = loop.time()
        took = 1000 * (loop.time() - begin)
        log.info("%s, version %s: judged in %.0f ms", document.uri, document.version, took)

    async def _judge(self, engine: Engine, uri: str) -> None:
        view = View(uri, self._open(), self.settings.threshold)
        if uri in view.everywhere:
            document = self._documents[uri]
            self._show(document, await self._run(engine.findings, view))

    def _show(self, document: Document, findings: list[Finding]) -> None:
        """Publish, unless the document has moved on."""
        if self._documents.get(document.uri) is document:
            self._publish(document, findings)

    def _open(self) -> dict[str, list[Located]]:
        """The functions of all documents, but for those that have changed since."""
        return {
            uri: functions
            for uri, (document, functions) in self._located.items()
            if self._documents[uri] is document
        }

    async def _functions(self, document: Document) -> list[Located]:
        known = self._located.get(document.uri)
        if known is not None and known[0] is document:
            return known[1]
        language = self._judged(document)
        functions: list[Located] = []
        if document.text is not None and language is not None:
            functions = await self._run(locate, document.text, language)
        if self._documents.get(document.uri) is document:
            self._located[document.uri] = document, functions
        return functions

    def _judged(self, document: Document) -> Language | None:
        """The document's language, if it is one that the bundle was made for."""
        language, bundle = (
            resolve_language(document.language_id, document.uri),
            self.settings.bundle,
        )
        own = None if bundle is None else languages_of(bundle)
        return language if own is None or language in own else None

    async def _load(self, bundle: Path | None) -> Engine | None:
        try:
            if bundle is None:
                raise OptionError("no bundle: give --bundle, or the setting codewren.bundle")
            engine = await self._run(_open_engine, bundle)
        except CodewrenError as error:
            self._say(str(error))
            return None
        log.info("%s: %s, %s", bundle, engine.model.task.name, ", ".join(engine.model.labels))
        return engine

    async def _ready(self) -> Engine | None:
        """The engine, once it is loaded; a task that is cancelled meanwhile leaves it loading."""
        return None if self._engine is None else await asyncio.shield(self._engine)

    async def _run(self, work: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a document could not be judged", exc_info=error)
            self._say(f"a document could not be judged ({type(error).__name__}: {error})")

    def _say(self, line: str) -> None:
        """Tell the user, once."""
        line = " ".join(line.split())
        if line != self._told:
            self._told = line
            log.warning("%s", line)
            self._tell(line)


def _open_engine(path: Path) -> Engine:
    bundle = read_bundle(path)
    require_labels(bundle.manifest.task, path)
    return SingleEngine(bundle) if bundle.head is None else PairEngine(bundle)
