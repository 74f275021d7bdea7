"""Texts that nobody writes, through predict, scan and the editor server: bounded in all ways.

    python attacks/texts.py --megabytes 100 model.wren

Each kind of text goes each way in a process of its own, with a limit of CPU time and memory; it
is answered or refused in one line. Prints what happened, CPU seconds and the memory beyond the
text; exit status 1 if a process died, hung or raised anything else. Linux.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from codewren_runtime import CodewrenError, load

__all__ = ["KINDS", "WAYS", "main"]

CPU_SECONDS, BYTES = 60, 6_000_000_000
KINDS: dict[str, Callable[[int], bytes]] = {
    "one line": lambda n: b"a" * n,
    "braces": lambda n: b"{" * n,
    "nested calls": lambda n: b"f(" * (n // 2),
    "open string": lambda n: b'char *s = "' + b"x" * n,
    "open comment": lambda n: b"/*" + b"*" * n,
    "spaces": lambda n: b" " * n,
    "line ends": lambda n: b"\n" * n,
    "NULs": bytes,
    "lone surrogates": lambda n: b"\xed\xa0\x80" * (n // 3),
    "right-to-left marks": lambda n: "\u202e\u200f".encode() * (n // 6),
    "combining marks": lambda n: "e\u0301\u0327".encode() * (n // 5),
    "random bytes": lambda n: Random(0).randbytes(n),
    "small functions": lambda n: b"int f(int a) { return a; }\n" * (n // 27),
}


def _predict(bundle: Path, file: Path, text: str) -> str:
    from codewren.verbs.predict import predict_files

    model = load(bundle)
    model.predict(text) if model.task.kind == "single" else model.predict_pair(text, text)
    files = [file] if model.task.kind == "single" else [file, file]
    return str(predict_files(bundle, files)[0]["label"])


def _scan(bundle: Path, file: Path, _: str) -> str:
    from codewren.progress import Silent
    from codewren.verbs.scan import ScanSettings, scan

    label = load(bundle).labels[-1]
    settings = ScanSettings(bundle, label, 0.0, use_cache=False, explain=1, jobs=1)
    result = scan([file.parent], settings, Silent())
    return f"{result.functions:,} functions, skipped {result.skipped}"


def _edit(_: Path, __: Path, text: str) -> str:
    from codewren.lsp.documents import Document
    from codewren.lsp.located import locate
    from codewren.lsp.settings import Settings

    document = Document.opened("file:///a.c", "c", 1, text, Settings().max_size)
    if document.text is None:
        return "too large, not looked at"
    return f"{len(locate(document.text, 'c')):,} functions"


WAYS: dict[str, Callable[[Path, Path, str], str]] = {
    "predict": _predict,
    "scan": _scan,
    "edit": _edit,
}


def outcome(way: str, bundle: Path, kind: str, size: int) -> tuple[bool, str]:
    """Whether it went well, and what to say of it, from a process of its own."""
    read, write = os.pipe()
    begin = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    child = os.fork()
    if child == 0:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        said = _said(way, bundle, KINDS[kind](size))
        os.write(write, said.encode("utf-8", "replace")[:2_000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        said = stream.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    took = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - begin
    good = status == 0 and not said.startswith("RAISED")
    return good, f"{said or f'died with {status}'}  ({took:.1f} s)"


def _said(way: str, bundle: Path, data: bytes) -> str:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "a.c"
        file.write_bytes(data)
        try:
            answer = WAYS[way](bundle, file, data.decode("utf-8", "surrogateescape"))
        except CodewrenError as error:
            answer = "refused: " + str(error).removeprefix(str(file))
            if "\n" in answer:
                answer = f"RAISED lines: {answer!r}"
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
            answer = f"RAISED {type(error).__name__}: {error}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return f"{answer[:150]}, {peak / 1000:.0f} MB more than before"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--way", choices=WAYS, action="append", help="repeatable; default: all")
    given = parser.parse_args(arguments)
    load(given.bundle)
    bad, begin = 0, time.process_time()
    for way in given.way or WAYS:
        for kind in KINDS:
            good, said = outcome(way, given.bundle, kind, int(1e6 * given.megabytes))
            bad += not good
            print(f"{'' if good else 'BAD '}{way}, {kind}: {said}", flush=True)
    print(f"{bad} bad; {time.process_time() - begin:.0f} s of CPU time in this process")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
