"""Do to each verb, at the worst moment, what a machine does to a process; then finish and compare.

    python attacks/moments.py --count 20 --way full-disk --verb distill

    interrupt, terminate   SIGINT and SIGTERM at a random instant
    full-disk              a file system with room for a random part of what the verb writes
    read-only              a file system that may only be read
    second                 stopped at a random instant, while a second one comes to the same folder
    no-network             without any network device, not even the loopback's

A verb that is stopped must say so in one line, with the status of that way: 130, 143, or 2. The
same command afterwards, left in peace, must leave the bytes that an uninterrupted run leaves.
What each verb works on, and what is compared, are those of `attacks/kills.py`. File systems and
networks want the superuser; without him those ways are not tried, and said not to be. Linux.

Writes attacks/results/moments.json, beside the counts that were not taken again; exit
status 1 if anything went otherwise.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from codewren_runtime.files import read_json, write_json
from kills import COMMANDS, VERBS, Stage, fingerprints, import_all, rehearse, start, status_of

__all__ = ["WAYS", "main"]

RESULTS = Path(__file__).parent / "results"
CLONE_NEWNET = 0x40000000
ROOMY = 64 << 20  # bytes of a file system that is not to be full
PAGE = 4_096


@dataclass(frozen=True)
class Moment:
    """A verb, and the folder that it is about to work in."""

    stage: Stage
    folder: Path
    rng: random.Random

    def started(self, name: str = "first", first: Callable[[], None] = lambda: None) -> int:
        """The process id of the verb; `name` tells its lines from another's."""
        return start(COMMANDS[self.stage.verb], self.folder, self._lines(name), first)

    def wait(self) -> None:
        """A random part of the time that the verb takes, or a little longer."""
        time.sleep(self.rng.uniform(0, 1.1 * self.stage.seconds))

    def ended(self, status: int, expected: int, name: str = "first") -> None:
        """AssertionError unless it ended well, or as expected and told so in one line."""
        lines = self._lines(name).read_text().splitlines()
        if status == 0:
            assert not lines, f"it ended well and said {lines}"
        else:
            assert (status, len(lines)) == (expected, 1), f"it ended with {status}, said {lines}"

    def _lines(self, name: str) -> Path:
        return self.folder.with_name(f"{name}.txt")


def _signalled(number: signal.Signals, moment: Moment) -> bool:
    child = moment.started()
    moment.wait()
    os.kill(child, number)
    status = status_of(child)
    if status != -number:  # which is how a fork ends that has not come to the verb, or has left it
        moment.ended(status, 128 + number)
    return status != 0


def _full_disk(moment: Moment) -> bool:
    system = os.statvfs(moment.folder)
    used = (system.f_blocks - system.f_bfree) * system.f_frsize
    # From nothing to 2 MB, small ones as likely as large ones.
    _mount(moment.folder, f"remount,size={used + PAGE * int(2 ** moment.rng.uniform(0, 9))}")
    status = status_of(moment.started())
    _mount(moment.folder, f"remount,size={ROOMY}")
    moment.ended(status, 2)
    return status != 0


def _read_only(moment: Moment) -> bool:
    _mount(moment.folder, "remount,ro")
    status = status_of(moment.started())
    _mount(moment.folder, "remount,rw")
    moment.ended(status, 2)
    return status != 0


def _second(moment: Moment) -> bool:
    first = moment.started()
    moment.wait()
    os.kill(first, signal.SIGSTOP)
    second = status_of(moment.started("second"))
    os.kill(first, signal.SIGCONT)
    moment.ended(status_of(first), 2)
    moment.ended(second, 2, "second")
    return second != 0


def _without_network(moment: Moment) -> bool:
    status = status_of(moment.started(first=_leave_the_network))
    assert status == 0, f"it ended with {status}"
    return True


WAYS: dict[str, Callable[[Moment], bool]] = {
    "interrupt": partial(_signalled, signal.SIGINT),
    "terminate": partial(_signalled, signal.SIGTERM),
    "full-disk": _full_disk,
    "read-only": _read_only,
    "second": _second,
    "no-network": _without_network,
}
OF_THE_SUPERUSER = ("full-disk", "read-only", "no-network")


def attempt(way: str, stage: Stage, work: Path, rng: random.Random) -> tuple[bool, str]:
    """Whether the verb was stopped; and what went wrong, or ''."""
    moment = Moment(stage, work / "folder", rng)  # the path that the verb's inputs name
    with _laid_out(moment, mounted=way in {"full-disk", "read-only"}):
        try:
            stopped = WAYS[way](moment)
            moment.ended(status_of(moment.started()), 0)
        except AssertionError as fault:
            return True, str(fault)
        left = fingerprints(moment.folder)
        names = left.keys() | stage.left.keys()
        differ = sorted(name for name in names if left.get(name) != stage.left.get(name))
        return stopped, f"{differ} differ" if differ else ""


@contextmanager
def _laid_out(moment: Moment, *, mounted: bool) -> Iterator[None]:
    """The folder as it was before the verb, on a file system of its own if `mounted`."""
    shutil.rmtree(moment.folder)
    moment.folder.mkdir()
    if mounted:
        _mount(moment.folder, f"size={ROOMY}")
    try:
        shutil.copytree(moment.stage.before, moment.folder, dirs_exist_ok=True)
        yield
    finally:
        if mounted:
            subprocess.run(["umount", moment.folder], check=True)


def _mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    subprocess.run(command, check=True, capture_output=True)


def _leave_the_network() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def campaign(
    ways: Sequence[str], stages: Sequence[Stage], count: int, seed: int, work: Path
) -> Any:
    """Counts by way and verb."""
    results: dict[str, dict[str, Any]] = {}
    for way in ways:
        if way in OF_THE_SUPERUSER and os.geteuid() != 0:
            print(f"{way}: NOT TRIED, it wants the superuser")
            continue
        for stage in stages:
            rng = random.Random(f"{seed} {way} {stage.verb}")
            ends = [attempt(way, stage, work, rng) for _ in range(count)]
            faults = [fault for _, fault in ends if fault]
            stopped = sum(was_stopped for was_stopped, _ in ends)
            print(
                f"{way}: {stage.verb}: {count} attempts, {stopped} took effect, {len(faults)} bad"
            )
            for fault in faults[:5]:
                print(f"    {fault}")
            found = {"attempts": count, "took_effect": stopped, "bad": len(faults)}
            results.setdefault(way, {})[stage.verb] = found
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="attempts for each way and verb")
    parser.add_argument("--way", choices=tuple(WAYS), action="append", help="default: all")
    parser.add_argument("--verb", choices=VERBS, action="append", help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "moments.json")
    given = parser.parse_args(arguments)
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # which a shell's background job ignores
    import_all()
    with tempfile.TemporaryDirectory() as name:
        stages = rehearse(Path(name), given.verb or VERBS)
        ways = given.way or tuple(WAYS)
        results = campaign(ways, stages, given.count, given.seed, Path(name))
    before = read_json(given.out)["ways"] if given.out.is_file() else {}
    merged = before | {way: before.get(way, {}) | verbs for way, verbs in results.items()}
    write_json(given.out, {"seed": given.seed, "ways": merged})
    return int(any(found["bad"] for verbs in results.values() for found in verbs.values()))


if __name__ == "__main__":
    sys.exit(main())
