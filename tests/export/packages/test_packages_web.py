"""The page gives Python's answers, in a real Chromium that has no network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from codewren.kept import kept_bundle
from codewren.verbs.package import package
from codewren_export import QUANTS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("page_modules")]

TITLE = 'Is <this> & "that" safe?'


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on a port of this machine, by the plainest server there is."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def _open(
    page: Path, rows: list[list[str]], chromium: str, javascript: Callable[..., Any], tmp_path: Path
) -> dict[str, Any]:
    with served(page) as url:
        value = {
            "chromium": chromium,
            "url": url,
            "rows": rows,
            "screenshot": str(tmp_path / "page.png"),
        }
        found: dict[str, Any] = javascript("page.mjs", value)
    assert found["complaints"] == []
    assert found["unnamed"] == 0
    assert [
        address for address in found["requests"] if not address.startswith((url, "data:"))
    ] == []
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("source", ["functions", "shared_functions"])
def test_a_thousand_functions_are_judged_as_in_python(
    source: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    bundle_of: Callable[..., Path],
    chromium: str,
    javascript: Callable[..., Any],
    same: Callable[..., None],
) -> None:
    rows = [[text] for text in request.getfixturevalue(source)]
    assert len(rows) >= 1_000
    bundle = bundle_of("single")
    package(bundle, "web", TITLE, tmp_path / "page", "0.1.0", None)
    found = _open(tmp_path / "page", rows, chromium, javascript, tmp_path)
    same(found["answers"], bundle, rows)
    label, probability = found["answers"][0]["label"], found["answers"][0]["probability"]
    assert found["shown"].startswith(f"{label} {100 * probability:.1f}% in ")


@pytest.mark.parametrize("quant", QUANTS)
def test_every_precision_is_judged_as_in_python(
    quant: str,
    tmp_path: Path,
    bundle_of: Callable[..., Path],
    chromium: str,
    javascript: Callable[..., Any],
    same: Callable[..., None],
    functions: list[str],
) -> None:
    rows = [[text] for text in functions[:60]]
    bundle = bundle_of("single", quant=quant)
    package(bundle, "web", TITLE, tmp_path / "page", "0.1.0", None)
    answers = _open(tmp_path / "page", rows, chromium, javascript, tmp_path)["answers"]
    # Ranges are found anew in each call: a last bit there moves what is rounded to 8 bits.
    same(answers, bundle, rows, tolerance=0.05 if quant == "int8-dynamic" else 1e-3)


@pytest.mark.parametrize("kept", [None, "clones-java"])
def test_a_page_of_pairs_has_two_boxes(
    *,
    kept: str | None,
    tmp_path: Path,
    bundle_of: Callable[..., Path],
    chromium: str,
    javascript: Callable[..., Any],
    same: Callable[..., None],
    as_rows: Callable[..., list[list[str]]],
    functions: list[str],
    odd_texts: list[str],
) -> None:
    bundle = bundle_of("pair", "split-mean") if kept is None else kept_bundle(Path(kept))
    rows = as_rows([*functions[:60], *odd_texts[:40]], "pair")
    rows += [[texts[0]] * 2 for texts in rows[:20]]  # clones, whatever the model
    package(bundle, "web", TITLE, tmp_path / "page", "0.1.0", None)
    found = _open(tmp_path / "page", rows, chromium, javascript, tmp_path)
    same(found["answers"], bundle, rows)
    assert found["shown"].startswith(found["answers"][0]["label"])


def test_the_same_input_gives_the_same_page(tmp_path: Path, bundle_of: Callable[..., Path]) -> None:
    for name in ("one", "other"):
        package(bundle_of("single"), "web", TITLE, tmp_path / name, "0.1.0", None)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "other")
    page = (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    assert "<title>Is &lt;this&gt; &amp; &quot;that&quot; safe?</title>" in page
    assert "//" not in page


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
