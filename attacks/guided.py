"""Fuzz what reads files, led by coverage: inputs that reach new code are kept and changed further.

    pip install 'codewren[fuzz]' && python attacks/guided.py --seconds 240

By atheris (libFuzzer), which sees every branch of this project's Python code that an input takes.
Half of the changes are libFuzzer's, of bytes; half those of `attacks/mutations.py`, of JSON,
graphs and recipes. Seeds are the good inputs of `attacks/fuzz.py`. An input may take 20 s and 4
GB; anything but an answer or a refusal in one line is a finding, which is kept. Each target has
so many seconds of CPU time, in a process that is forked again after a crash.

Writes attacks/results/guided.json, a part for each target: executions, how many were accepted and
refused, branches and features that were reached, findings. Exit status 1 for findings. Linux.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import importlib
import json
import os
import re
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from random import Random
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: pip install 'codewren[fuzz]'")

with atheris.instrument_imports(include=["codewren", "codewren_distill", "codewren_runtime"]):
    # What the readers import when they run: later it would not be instrumented.
    for module in ("codewren.recipe", "codewren.search.result", "codewren_runtime.model"):
        importlib.import_module(module)
    from codewren_runtime.files import write_json
    from targets import (
        FIELDS,
        RECIPE,
        ROWS,
        SUFFIXES,
        WORDS,
        ask,
        encode,
        parts_of,
        read_data,
        read_recipe,
    )

from codewren_runtime.errors import BundleError, DataError, ModelError, OptionError
from fuzz import random_bundles
from mutations import mutated_bytes, mutated_graph, mutated_json, mutated_text, written
from packing import rehash, zip_of

__all__ = ["Aim", "campaign", "main"]

RESULTS = Path(__file__).parent / "results"
SECONDS, MEGABYTES, LONGEST = 20, 4_000, 100_000  # of one input
COUNTED = ("executions", "accepted", "refused")
REFUSALS = (BundleError, DataError, ModelError, OptionError)


@dataclass(frozen=True)
class Aim:
    """Good inputs, how to change one, and what reads it in an empty folder."""

    seeds: Sequence[bytes]
    change: Callable[[Random, bytes], bytes]
    read: Callable[[bytes, Path], object]


def _json(rng: Random, data: bytes) -> bytes:
    return written(mutated_json(rng, json.loads(data)))


def _rows(rng: Random, data: bytes) -> bytes:
    return b"\n".join(_json(rng, line) for line in data.split(b"\n"))


def _recipe(rng: Random, data: bytes) -> bytes:
    return mutated_text(rng, data.decode(), WORDS).encode()


def _read_rows(data: bytes, folder: Path) -> None:
    """The first byte says how the others are read."""
    how = data[0] if data else 0
    path = folder / f"data{SUFFIXES[how % len(SUFFIXES)]}"
    path.write_bytes(data[1:])
    fields = FIELDS[how // 8 % 3]
    read_data((path, fields, fields.label is not None, how >= 128))


def _read_recipe(data: bytes, folder: Path) -> None:
    (folder / "recipe.toml").write_bytes(data)
    read_recipe(folder / "recipe.toml")


def _aims(bundles: Sequence[Path]) -> dict[str, Aim]:
    good = [parts_of(path) for path in bundles]

    def within(name: str, *, hashed: bool) -> Callable[[bytes, Path], object]:
        def read(data: bytes, folder: Path) -> None:
            parts = good[0] | {name: data}
            ask((zip_of((rehash(parts) if hashed else parts).items(), folder), "f(x)"))

        return read

    def whole(data: bytes, folder: Path) -> None:
        (folder / "bad.wren").write_bytes(data)
        ask((folder / "bad.wren", "f(x)"))

    rows = b"\n".join(map(written, ROWS[:3]))
    return {
        "bundle": Aim([path.read_bytes() for path in bundles], mutated_bytes, whole),
        "manifest": Aim(
            [parts["manifest.json"] for parts in good], _json, within("manifest.json", hashed=False)
        ),
        "graph": Aim(
            [parts["model.onnx"] for parts in good],
            mutated_graph,
            within("model.onnx", hashed=True),
        ),
        "tokenizer": Aim(
            [parts["tokenizer.json"] for parts in good],
            _json,
            lambda data, _: encode((data, ["int f(int a) { return a; }", "\ud800\0 é</s>" * 9])),
        ),
        "data": Aim(
            [bytes([at]) + rows for at in (0, 8, 16, 128, 3)] + [b"\2" + gzip.compress(rows)],
            lambda rng, data: data[:1] + _rows(rng, data[1:]),
            _read_rows,
        ),
        "recipe": Aim([RECIPE.encode()], _recipe, _read_recipe),
    }


def campaign(name: str, aim: Aim, seconds: float, seed: int, keep: Path) -> dict[str, Any]:
    """So many seconds of CPU time, and what came of them."""
    counts = RawArray("q", len(COUNTED))
    findings: dict[str, str] = {}
    coverage, used, begin = (0, 0, 0), 0.0, _children()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "corpus").mkdir()
        for at, data in enumerate(aim.seeds):
            (place / "corpus" / f"{at}").write_bytes(data)
        while used < seconds:
            if (child := os.fork()) == 0:
                _fuzz(aim, counts, seconds - used, seed, place)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            log = (place / "log").read_text(errors="replace")
            reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", log)
            coverage = max([coverage, *(tuple(map(int, found)) for found in reached)])
            used, seed = _children() - begin, seed + 1
            if status:
                kind = re.findall(r"(?:ERROR|DEATH): (.*)", log)[:1] or [f"exit {status}"]
                findings.setdefault(kind[0], f"exit {status}")
            if status and not reached:
                break  # it died of a seed
        (place / "escaped").touch()
        for line in (place / "escaped").read_text().splitlines():
            findings.setdefault(*json.loads(line))
        for found in place.glob("found-*"):
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, keep / f"{name}-{found.name}")
    return {
        **dict(zip(COUNTED, counts, strict=True)),
        **dict(zip(("branches", "features", "corpus"), coverage, strict=True)),
        "cpu_seconds": round(used, 1),
        "findings": findings,
    }


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _fuzz(aim: Aim, counts: Any, seconds: float, seed: int, place: Path) -> None:
    """In a process that ends here: libFuzzer's loop, which a crash of the input ends too."""
    sys.stderr.flush()
    os.dup2(os.open(place / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    warnings.simplefilter("error")
    (work := place / "work").mkdir(exist_ok=True)
    for good in aim.seeds:  # the first imports libraries, which is no time of an input
        with contextlib.suppress(*REFUSALS):
            aim.read(good, work)
    deadline = time.process_time() + seconds

    def one(data: bytes) -> None:
        counts[0] += 1
        try:
            aim.read(data, work)
            counts[1] += 1
        except REFUSALS as refusal:
            counts[2] += 1
            if "\n" in str(refusal):
                _escaped(place, data, refusal)
        except BaseException as error:  # noqa: BLE001 - a panic of a library is no Exception
            _escaped(place, data, error)
        if time.process_time() > deadline:
            os._exit(0)

    def change(data: bytes, longest: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, longest))
        try:
            return aim.change(rng, data)[:longest]
        except Exception:  # noqa: BLE001 - what is no JSON any more, say
            return mutated_bytes(rng, data)[:longest]

    limits = [f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}"]
    options = [f"-seed={seed + 1}", f"-artifact_prefix={place}/found-", "-use_value_profile=1"]
    atheris.Setup(["guided", str(place / "corpus"), *limits, *options], one, custom_mutator=change)
    atheris.Fuzz()
    os._exit(0)


def _escaped(place: Path, data: bytes, error: BaseException) -> None:
    kind = "".join(c for c in f"{type(error).__name__}: {error}" if not c.isdigit())[:80]
    with (place / "escaped").open("a") as stream:
        stream.write(json.dumps([kind, "escaped"]) + "\n")
    (place / f"found-{hashlib.sha256(kind.encode()).hexdigest()[:8]}").write_bytes(data)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--what", action="append", help="repeatable; default: all")
    parser.add_argument("--seconds", type=float, default=240.0, help="of CPU time, each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", type=Path, action="append", help="good ones; repeatable")
    parser.add_argument("--out", type=Path, default=RESULTS / "guided.json")
    given = parser.parse_args(arguments)
    known = json.loads(given.out.read_text()) if given.out.is_file() else {}
    known.pop("schema", None)
    with tempfile.TemporaryDirectory() as folder:
        aims = _aims(given.bundle or random_bundles(Path(folder)))
        for what in given.what or aims:
            keep = given.out.parent / "found"
            known[what] = campaign(what, aims[what], given.seconds, given.seed, keep)
            print(what, json.dumps(known[what]), flush=True)
            write_json(given.out, known)
    return 1 if any(part["findings"] for part in known.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
