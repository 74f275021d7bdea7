"""Texts that nobody writes, through predict, scan and the editor server: bounded in all ways.

    python attacks/texts.py --bundle models/clones-java.wren --megabytes 100

Each kind of text (`attacks/kinds.py`) goes each way into a process of its own: `Model.predict` on
the text as it is, `compress predict` and `compress scan` on a file, and `compress lsp` over its
pipe, where the text is opened, changed and asked about, and another document must be judged beside
it and after it. It goes twice: of so many megabytes, and as large as that way takes at most. The
process must answer, or refuse in one line with exit status 2, and stay within `LIMITS`.

Writes attacks/results/texts.json, with CPU seconds and peak memory of each case (at least that of
this process, up to 0.2 GB once a server has found many functions), beside the cases of former runs
that were not tried again; exit status 1 if any failed. Without a bundle: the three kept models,
and a small one of random weights. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from codewren.kept import KEPT, kept_bundle, languages_of
from codewren_runtime.files import write_json
from editor import Editor
from kinds import KINDS, blocks

__all__ = ["WAYS", "Case", "FailedError", "campaign", "main"]

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
# Of one process. CPU: a file of the most bytes holds 74,000 functions, of which each is judged in
# a millisecond. Memory: what a process holds with no text (0.2 GB, of that the model and its
# library half), and a few copies of the largest text. Silence: the machine may be busy.
LIMITS = {"cpu_seconds": 120, "peak_bytes": 2_500_000_000, "silent_seconds": 300}
SUFFIXES = {"c": ".c", "java": ".java"}
SANE = b"int f(int a) { return a; }\nint g(int a) { return a + f(a); }\n"
ASK = """
import sys
from pathlib import Path
from codewren_runtime import load
model = load(sys.argv[1])
text = Path(sys.argv[2]).read_bytes().decode("utf-8", "surrogateescape")
single = model.task.kind == "single"
print(model.predict(text).label if single else model.predict_pair(text, text[1:]).label)
"""
RANDOM = "import fuzz, pathlib, sys; fuzz.random_bundles(pathlib.Path(sys.argv[1]))"


@dataclass(frozen=True)
class Case:
    """A kind of text of a size, in a file, for a bundle."""

    bundle: Path
    kind: str
    size: int
    file: Path

    @property
    def pair(self) -> bool:
        """Whether the bundle compares two texts."""
        with zipfile.ZipFile(self.bundle) as archive:
            return bool(json.loads(archive.read("manifest.json"))["task"]["kind"] == "pair")

    @property
    def language(self) -> str:
        """What the bundle judges."""
        return (languages_of(self.bundle) or ("c",))[0]


class FailedError(Exception):
    """A process did what it must not do."""


def _model(case: Case) -> list[str]:
    return ["-c", ASK, str(case.bundle), str(case.file)]


def _predict(case: Case) -> list[str]:
    files = [str(case.file)] * (1 + case.pair)
    return ["-m", "codewren", "predict", str(case.bundle), *files, "--json"]


def _scan(case: Case) -> list[str]:
    more = ["--threshold", "0", "--min-lines", "1", "--explain", "1", "--jobs", "1"]
    return ["-m", "codewren", "scan", str(case.file), "--bundle", str(case.bundle), *more,
            "--no-cache", "--fail-on", "never", "--json", "--quiet"]  # fmt: skip


def _edit(case: Case) -> list[str]:
    return ["-m", "codewren", "lsp", "--bundle", str(case.bundle), "--threshold", "0"]


# A way's command, and the most bytes that it takes: `predict` says no beyond 50 MB, `scan` beyond
# 2 MB, and the server beyond 2,000,000 characters; a model reads the first million of any text.
WAYS: dict[str, tuple[Callable[[Case], list[str]], int | None]] = {
    "model": (_model, None),
    "predict": (_predict, 50_000_000),
    "scan": (_scan, 2_000_000),
    "edit": (_edit, 1_999_999),  # one is typed
}


def outcome(way: str, case: Case) -> dict[str, Any]:
    """How a process of its own took a text, and what that cost."""
    command = [sys.executable, "-W", "error", *WAYS[way][0](case)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        pipe = subprocess.PIPE if way == "edit" else None
        process = subprocess.Popen(
            command, stdin=pipe or subprocess.DEVNULL, stdout=pipe or out, stderr=errors
        )
        _limit(process.pid)
        timer = threading.Timer(10 * LIMITS["silent_seconds"], process.kill)
        timer.start()
        try:
            said = _edited(process, case) if way == "edit" else ""
            ended = "answered"
        except (FailedError, EOFError, TimeoutError) as error:
            process.kill()
            ended, said = "failed", str(error)
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if ended == "answered" and way != "edit":
            ended, said = _told(process.returncode, _head(out), _head(errors))
        elif ended == "answered" and (process.returncode or "Traceback" in _head(errors)):
            ended, said = "failed", f"exit status {process.returncode}: {_head(errors)}"
    cpu, peak = usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss
    if cpu > LIMITS["cpu_seconds"] or peak > LIMITS["peak_bytes"]:
        ended = "failed"
    name = case.file.with_suffix("").name
    return {"way": way, "kind": case.kind, "bytes": case.size, "outcome": ended,
            "said": said.replace(str(case.file), name)[:200], "cpu_seconds": round(cpu, 2),
            "peak_bytes": peak}  # fmt: skip


def _limit(process: int) -> None:
    """End a process of far more memory than it may have, or of more CPU time."""
    most = 4 * LIMITS["peak_bytes"]  # of addresses: libraries reserve more than they use
    resource.prlimit(process, resource.RLIMIT_AS, (most, most))
    resource.prlimit(process, resource.RLIMIT_CPU, (LIMITS["cpu_seconds"] + 1,) * 2)
    resource.prlimit(process, resource.RLIMIT_CORE, (0, 0))


def _head(stream: Any) -> str:
    stream.seek(0)
    return str(stream.read(2_000).decode("utf-8", "replace"))


def _told(status: int, out: str, errors: str) -> tuple[str, str]:
    """What a command made of a text, by its exit status and what it wrote."""
    if status == 2 and not out and len(errors.splitlines()) == 1:
        return "refused", errors.strip()
    if status or errors or not out:
        return "failed", f"exit status {status}: {errors[-300:]}"
    found = re.findall(r'"(?:label|functions|skipped)": ("[^"]*"|\d+|\{[^}]*\})', out)
    return "answered", " ".join(" ".join(found[:3] or [out]).split())


def _edited(process: subprocess.Popen[bytes], case: Case) -> str:
    """What the server says of the text; FailedError if it then does not judge another document."""
    editor = Editor(process, LIMITS["silent_seconds"])
    language = case.language
    editor.shake_hands({"debounce": 0})
    editor.open("file:///a", language, partial(blocks, case.kind, case.size))
    editor.open("file:///b", language, lambda: [SANE])
    first = editor.findings("file:///a", 1)
    editor.findings("file:///b", 1)
    editor.insert("file:///a", 2, 0, 1, lambda: [b"\n"])
    second = editor.findings("file:///a", 2)
    place = {"textDocument": {"uri": "file:///a"}, "position": {"line": 1, "character": 4}}
    if "error" in (hover := editor.ask("textDocument/hover", place)):
        raise FailedError(f"hover: {hover['error']}")
    editor.tell("textDocument/didClose", {"textDocument": {"uri": "file:///a"}})
    editor.insert("file:///b", 2, 0, 0, lambda: [b"\n"])
    while len(editor.findings("file:///b", 2)) != 2:
        pass  # those of the moment when both were open
    editor.goodbye()
    told = [item["message"] for item in (first or second)[:1]]
    return f"{len(first):,} findings, then {len(second):,} {told}"


def campaign(
    bundles: Sequence[Path], ways: Sequence[str], kinds: Sequence[str], size: int
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every kind of text each way, at each of its sizes, for every bundle."""
    largest = {way: most for way in ways if (most := WAYS[way][1]) is not None and most < size}
    with tempfile.TemporaryDirectory() as name:
        for kind in kinds:
            for bytes_ in sorted({size, *largest.values()}):
                file = Path(name) / "text"
                with file.open("wb") as stream:
                    stream.writelines(blocks(kind, bytes_))
                for bundle in bundles:
                    case = Case(bundle, kind, bytes_, file)
                    case = Case(bundle, kind, bytes_, _named(file, SUFFIXES[case.language]))
                    for way in ways:
                        if bytes_ in (size, largest.get(way)):
                            yield bundle, outcome(way, case)
                for made in Path(name).iterdir():
                    made.unlink()


def _named(file: Path, suffix: str) -> Path:
    """The file under a name by which its language is known."""
    link = file.with_suffix(suffix)
    if not link.exists():
        link.hardlink_to(file)
    return link


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, action="append", help="repeatable")
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--way", choices=WAYS, action="append", help="repeatable; default: all")
    parser.add_argument("--kind", choices=KINDS, action="append", help="repeatable; default: all")
    parser.add_argument("--out", type=Path, default=RESULTS / "texts.json")
    given = parser.parse_args(arguments)
    size, known = int(1e6 * given.megabytes), _known(given.out)
    with tempfile.TemporaryDirectory() as name:
        bundles = given.bundle or [*map(kept_bundle, KEPT), _random_bundle(Path(name))]
        for bundle, case in campaign(bundles, given.way or [*WAYS], given.kind or [*KINDS], size):
            known[bundle.stem, case["way"], case["kind"], case["bytes"]] = case
            print(bundle.stem, *case.values(), sep="  ", flush=True)
            summary = _summary([*known.values()])
            write_json(given.out, {"limits": LIMITS, **summary, "bundles": _by_bundle(known)})
    print(json.dumps(summary))
    return 1 if summary["outcomes"]["failed"] else 0


Cases = dict[tuple[str, str, str, int], dict[str, Any]]


def _known(path: Path) -> Cases:
    """The cases of former runs, which stay unless they are tried again."""
    bundles = json.loads(path.read_text())["bundles"] if path.is_file() else {}
    return {
        (bundle, case["way"], case["kind"], case["bytes"]): case
        for bundle, cases in bundles.items()
        for case in cases
    }


def _by_bundle(known: Cases) -> dict[str, list[dict[str, Any]]]:
    bundles: dict[str, list[dict[str, Any]]] = {}
    for (bundle, *_), case in known.items():
        bundles.setdefault(bundle, []).append(case)
    return bundles


def _summary(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    outcomes = Counter(case["outcome"] for case in cases)
    return {
        "outcomes": {name: outcomes[name] for name in ("answered", "refused", "failed")},
        "most_cpu_seconds": max(case["cpu_seconds"] for case in cases),
        "most_peak_bytes": max(case["peak_bytes"] for case in cases),
    }


def _random_bundle(folder: Path) -> Path:
    """Made by a process of its own: torch would make this one large, and all that it starts."""
    subprocess.run([sys.executable, "-c", RANDOM, str(folder)], cwd=HERE, check=True)
    return (folder / "single" / "bad.wren").rename(folder / "random.wren")


if __name__ == "__main__":
    sys.exit(main())
