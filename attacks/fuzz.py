"""Feed mutated inputs to what reads them, in processes that may die, and count how they end.

    python attacks/fuzz.py --count 10000 --seed 0 --what bundles

`bundles` go through `load` and a prediction, `data` through the readers of JSON lines (gzip too)
and of sources, `recipes` through `load_recipe`, and `tokenizer` is odd texts through good and
mutated tokenizers. Each input is made from its number alone. It is refused in one line, or it
works. It escaped if anything else was raised; it crashed if the process died; it hung if it took
more CPU time than the limit. Inputs of the last three kinds are kept.

Writes attacks/results/fuzz.json, a part for each kind and the bundles that were given; exit status
1 if anything was found. Without a bundle, two of random weights are made. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any

from codewren_runtime.files import write_json
from targets import KINDS, Target, target

__all__ = ["campaign", "main", "random_bundles"]

RESULTS = Path(__file__).parent / "results"
CPU_SECONDS, WALL_SECONDS = 20.0, 300.0  # of one input
BYTES = 4_000_000_000  # of address space
KEPT = 100
FINDINGS = ("escaped", "crashed", "hung")


def campaign(aim: Target, what: str, count: int, seed: int, keep: Path) -> dict[str, Any]:
    """Counts by outcome, the findings, and the slowest input in seconds of CPU time."""
    outcomes: Counter[str] = Counter()
    findings: list[dict[str, Any]] = []
    slowest, begin, number = 0.0, time.process_time(), 0
    refused: Counter[str] = Counter()
    fork = multiprocessing.get_context("fork")
    while number < count:
        here, there = fork.Pipe(duplex=False)
        worker = fork.Process(target=_work, args=(aim, what, seed, number, count, there))
        worker.start()
        there.close()
        number, ended = _watch(here, worker, number, count, outcomes, findings, refused)
        slowest = max(slowest, ended)
    for finding in findings[:KEPT]:
        _keep(aim, what, seed, finding["number"], keep)
    return {
        "count": count,
        "seed": seed,
        "outcomes": {name: outcomes[name] for name in ("accepted", "refused", *FINDINGS)},
        "different_refusals": len(refused),
        "slowest_cpu_seconds": round(slowest, 2),
        "cpu_seconds": round(
            time.process_time() - begin + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, 1
        ),
        "findings": findings,
    }


def _watch(
    here: Connection,
    worker: multiprocessing.process.BaseProcess,
    number: int,
    count: int,
    outcomes: Counter[str],
    findings: list[dict[str, Any]],
    refused: Counter[str],
) -> tuple[int, float]:
    """Where to go on after a worker has ended, and the slowest that it reported."""
    slowest = 0.0
    try:
        while number < count:
            outcome, said, seconds = _report(here)
            slowest = max(slowest, seconds)
            outcomes[outcome] += 1
            if outcome == "refused":
                refused[said] += 1
            elif outcome == "escaped":
                findings.append({"number": number, "outcome": outcome, "said": said})
            number += 1
    except (EOFError, TimeoutError) as end:
        if isinstance(end, TimeoutError):
            worker.kill()
        worker.join()
        hung = isinstance(end, TimeoutError) or worker.exitcode == -signal.SIGPROF
        outcome = "hung" if hung else "crashed"
        outcomes[outcome] += 1
        findings.append({"number": number, "outcome": outcome, "said": f"exit {worker.exitcode}"})
        number += 1
    worker.join()
    return number, slowest


def _report(here: Connection) -> Any:
    if not here.poll(WALL_SECONDS):
        raise TimeoutError
    return here.recv()


def _work(aim: Target, what: str, seed: int, begin: int, count: int, there: Connection) -> None:
    """Inputs from `begin` on, one report each; the process dies of what it dies of."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as name:
        for number in range(begin, count):
            started = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # its signal ends the process
            outcome, said = _outcome(aim, _made(aim, what, seed, number, Path(name)))
            signal.setitimer(signal.ITIMER_PROF, 0)
            there.send((outcome, said, time.process_time() - started))


def _made(aim: Target, what: str, seed: int, number: int, folder: Path) -> Any:
    shutil.rmtree(folder)
    folder.mkdir()
    return aim.make(Random(f"{what} {seed} {number}"), folder)


def _outcome(aim: Target, made: Any) -> tuple[str, str]:
    try:
        aim.read(made)
    except aim.refusals as refusal:
        said = str(refusal)
        # What was refused, without the file's name and its numbers.
        kind = "".join(c for c in said.split(": ", 1)[-1] if not c.isdigit())[:60]
        return ("escaped" if "\n" in said else "refused"), kind
    except BaseException as error:  # noqa: BLE001 - a panic of a library is no Exception
        return "escaped", f"{type(error).__name__}: {error}"[:300]
    return "accepted", ""


def _keep(aim: Target, what: str, seed: int, number: int, keep: Path) -> None:
    """The input once more, where it can be looked at."""
    folder = keep / f"{what}-{seed}-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    made = _made(aim, what, seed, number, folder)
    with contextlib.suppress(OSError, ValueError):
        (folder / "input.txt").write_text(repr(made)[:100_000], encoding="utf-8", errors="replace")


def random_bundles(folder: Path) -> list[Path]:
    """Small bundles of random weights, a single-text one and a pair."""
    from codewren.latency.measure import bundle_of
    from codewren_distill.vocabulary import train_tokenizer
    from codewren_runtime.types import Architecture
    from packing import rehash, zip_of

    shape = Architecture(300, 16, 2, 2, 16, 48)
    tokenizer = train_tokenizer(["int f(int a) { return a; }"], 300, "structure")
    paths = []
    for kind in ("single", "pair"):
        bundle = bundle_of(shape, kind, tokenizer)  # type: ignore[arg-type]
        parts = {"model.onnx": bundle.model, "tokenizer.json": tokenizer.encode()}
        parts |= {} if bundle.head is None else {"head.onnx": bundle.head}
        parts["manifest.json"] = json.dumps(bundle.manifest.to_json()).encode()
        (folder / kind).mkdir()
        paths.append(zip_of(rehash(parts).items(), folder / kind))
    return paths


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--what", choices=(*KINDS, "all"), default="all")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", type=Path, action="append", help="good ones; repeatable")
    parser.add_argument("--out", type=Path, default=RESULTS / "fuzz.json")
    given = parser.parse_args(arguments)
    known = json.loads(given.out.read_text()) if given.out.is_file() else {}
    known.pop("schema", None)
    with tempfile.TemporaryDirectory() as name:
        good = given.bundle or random_bundles(Path(name))
        for what in KINDS if given.what == "all" else (given.what,):
            aim = target(what, good)
            keep = given.out.parent / "found"
            part = f"{what} from {', '.join(path.stem for path in good)}" if given.bundle else what
            known[part] = campaign(aim, what, given.count, given.seed, keep)
            print(part, json.dumps(known[part]["outcomes"]))
            for finding in known[part]["findings"][:20]:
                print("   ", finding)
            write_json(given.out, known)
    found = sum(len(part["findings"]) for part in known.values())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
