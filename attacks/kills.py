"""Kill a verb at random instants, give the same command again, and compare what is left.

    python attacks/kills.py --count 50 --verb distill

Each verb works on tiny data in a run directory that holds what comes before it. It is killed
(SIGKILL) at an instant drawn from the time that it takes, then run again; now and then it is
killed twice. Every file must then have the bytes that an uninterrupted run leaves, but for times
that were measured, and nothing else may be left. Each run is a fork of a process that has
imported everything, so that the kills fall into work. One thread. Linux.

Writes attacks/results/kills.json; exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codewren_runtime.files import write_json

__all__ = [
    "COMMANDS",
    "VERBS",
    "Outcome",
    "Stage",
    "fingerprints",
    "import_all",
    "keep",
    "main",
    "rehearse",
    "start",
    "status_of",
    "write_inputs",
]

RESULTS = Path(__file__).parent / "results"
VOLATILE = ("seconds", "latency", "trials", "checksum")  # measured times, and what hashes them
TRAINING = ("--epochs", "2", "--batch-size", "8", "--text", "code", "--quiet", "--data")
COMMANDS: dict[str, tuple[str, ...]] = {
    "search": ("search", "--size", "200kB", "--space", "space.toml", "--quiet"),
    "finetune": ("finetune", *TRAINING, "rows.jsonl", "--label", "bad", "--labels", "safe,bad",
                 "--architecture", "teacher.json"),
    "label": ("label", "--text", "code", "--quiet", "--data", "rows.jsonl"),
    "distill": ("distill", *TRAINING, "rows.jsonl"),
    "export": ("export", "--quiet"),
    "scan": ("scan", "src", "--bundle", "run/model.wren", "--threshold", "0", "--quiet",
             "--cache", "cache", "--sarif", "out/found.sarif", "--write-baseline",
             "out/known.json", "--fail-on", "never", "--jobs", "1"),
}  # fmt: skip
VERBS = tuple(COMMANDS)
SHAPE = {"vocab_size": 300, "hidden_size": 16, "num_layers": 1, "num_heads": 2,
         "intermediate_size": 16, "max_length": 48}  # fmt: skip
SPACE = """
max_length = 48
vocab_size = [300, 320]
hidden_size = [16, 32]
num_layers = [1]
num_heads = [1, 2]
intermediate_size = [16, 32]
"""
IMPORTS = ("onnx", "transformers.models.roberta", "codewren.cli.app", "codewren.search",
           "codewren.verbs.distill", "codewren.verbs.export", "codewren.verbs.scan",
           "codewren_distill.train", "codewren_export.exporter")  # fmt: skip
ROWS, SOURCES = 160, 12


@dataclass(frozen=True)
class Stage:
    """A verb: its folder before it ran, what it leaves, and how long that took."""

    verb: str
    before: Path
    left: dict[str, str]
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """One attempt: the instants of the kills, in seconds, and the files that differ."""

    instants: tuple[float, ...]
    differ: tuple[str, ...]


def import_all() -> None:
    """What the verbs import when they run, so that their forks need not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in IMPORTS:
            importlib.import_module(module)
    import torch

    torch.set_num_threads(1)


def rehearse(work: Path, verbs: Sequence[str]) -> list[Stage]:
    """Run every verb once in order, and keep what was there before and after those in `verbs`."""
    folder = work / "folder"
    write_inputs(folder)
    stages = []
    for verb, command in COMMANDS.items():
        before = work / f"before {verb}"
        shutil.copytree(folder, before)
        begin = time.monotonic()
        status = _run(command, folder)
        seconds = time.monotonic() - begin
        if status != 0:
            raise SystemExit(f"{verb} ended with {status}")
        stages.append(Stage(verb, before, fingerprints(folder), seconds))
    return [stage for stage in stages if stage.verb in verbs]


def attempt(stage: Stage, work: Path, rng: random.Random) -> Outcome:
    """Kill once or twice, finish, compare."""
    folder = work / "folder"  # the same path: it is among what a step depends on
    shutil.rmtree(folder)
    shutil.copytree(stage.before, folder)
    command, instants = COMMANDS[stage.verb], []
    for _ in range(rng.choice((1, 1, 2))):
        instants.append(round(rng.uniform(0, 1.2 * stage.seconds), 3))
        _run(command, folder, kill_after=instants[-1])
    status = _run(command, folder)
    left = fingerprints(folder)
    names = left.keys() | stage.left.keys()
    differ = tuple(sorted(name for name in names if left.get(name) != stage.left.get(name)))
    return Outcome(tuple(instants), differ if status == 0 else (f"exit status {status}", *differ))


def keep(folder: Path, where: Path) -> None:
    """The last folder of a verb, to be looked at."""
    shutil.rmtree(where, ignore_errors=True)
    shutil.copytree(folder, where)


def fingerprints(folder: Path) -> dict[str, str]:
    """sha256 of every file but the cache's and the lock; of JSON without measured times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.name != ".lock" and not name.startswith("cache/"):
            data = path.read_bytes()
            if path.suffix == ".json":
                data = json.dumps(_steady(json.loads(data))).encode()
            found[name] = hashlib.sha256(data).hexdigest()
    return found


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _steady(item) for key, item in value.items() if key not in VOLATILE}
    return value


def _run(command: Sequence[str], folder: Path, kill_after: float | None = None) -> int:
    """The exit status of `compress command` in `folder`, in a fork of this process."""
    child = start(command, folder, folder.with_name("stderr.txt"))
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return status_of(child)


def start(
    command: Sequence[str],
    folder: Path,
    errors: Path = Path(os.devnull),
    first: Callable[[], None] = lambda: None,
) -> int:
    """The process id of `compress command` in `folder`: a fork that calls `first`.

    What it has to say goes to `errors`.
    """
    child = os.fork()
    if child == 0:
        _become(command, folder, errors, first)
    return child


def status_of(child: int) -> int:
    """The exit status of a process that `start` began, once it ends."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(command: Sequence[str], folder: Path, errors: Path, first: Callable[[], None]) -> None:
    from codewren.cli.app import main as compress

    status: Any = 70
    try:
        first()
        os.chdir(folder)
        sys.argv = ["compress", *command]
        with errors.open("w") as stream, Path(os.devnull).open("w") as nothing:
            sys.stderr, sys.stdout = stream, nothing
            try:
                compress()
            except SystemExit as done:
                status = done.code or 0
            except BaseException:
                traceback.print_exc(file=stream)
                raise
    finally:
        os._exit(status if isinstance(status, int) else 1)


def write_inputs(folder: Path) -> None:
    """Rows, sources, a space and a shape, small enough that a verb takes a second."""
    folder.mkdir()
    rng, words = random.Random(0), ("read", "write", "open", "close", "copy", "size")
    rows = []
    for number in range(ROWS):
        calls = " ".join(f"{word}(buf);" for word in rng.choices(words, k=rng.randint(2, 9)))
        rows.append({"code": f"int f{number}(void) {{ {calls} }}", "bad": number % 2})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "space.toml").write_text(SPACE)
    (folder / "teacher.json").write_text(json.dumps(SHAPE))
    (folder / "src").mkdir()
    for number in range(SOURCES):
        text = "\n".join(row["code"] for row in rows[10 * number : 10 * number + 10])  # type: ignore[misc]
        (folder / "src" / f"s{number}.c").write_text(text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=50, help="attempts for each verb")
    parser.add_argument("--verb", choices=VERBS, action="append", help="repeatable; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "kills.json")
    given = parser.parse_args(arguments)
    import_all()
    rng, results, bad = random.Random(given.seed), {}, 0
    with tempfile.TemporaryDirectory() as name:
        for stage in rehearse(Path(name), given.verb or VERBS):
            outcomes = [attempt(stage, Path(name), rng) for _ in range(given.count)]
            differ = [outcome for outcome in outcomes if outcome.differ]
            kills = sum(len(outcome.instants) for outcome in outcomes)
            print(f"{stage.verb}: {kills} kills in {given.count} attempts, {len(differ)} differ")
            if differ:
                keep(Path(name) / "folder", given.out.parent / "found" / f"kill-{stage.verb}")
            for outcome in differ[:5]:
                print(
                    f"    killed at {outcome.instants} s of {stage.seconds:.1f}: {outcome.differ}"
                )
            bad += len(differ)
            results[stage.verb] = {
                "attempts": given.count,
                "kills": kills,
                "differ": len(differ),
                "seconds_uninterrupted": round(stage.seconds, 2),
            }
    write_json(given.out, {"seed": given.seed, "verbs": results})
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
