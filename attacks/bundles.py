"""Abuse cases for a bundle: write each from a good one, and show that it is refused.

    python attacks/bundles.py run/model.wren

For every case it prints the refusal and the CPU time that it took, at the end the most memory
that the whole script had. Exit status 1 if a case is not refused as it should be. Needs the
onnx package, to edit graphs.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cases import CASES, Parts
from codewren_runtime import BundleError, load

__all__ = ["main", "refusals"]


def refusals(good: Path, folder: Path) -> Iterator[tuple[str, str, str, float]]:
    """Of every case: its name, what the refusal must say, what it says, and CPU seconds.

    What it says is empty where the bundle was loaded.
    """
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name, (expected, write) in CASES.items():
        path = _write(write, dict(parts), folder / name)
        begin = time.process_time()
        try:
            load(path)
            said = ""
        except BundleError as error:
            said = str(error).removeprefix(f"{path}: ")
        yield name, expected, said, time.process_time() - begin


def _write(write: Callable[[Parts, Path], Path], parts: Parts, folder: Path) -> Path:
    folder.mkdir()
    return write(parts, folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bundle", type=Path, help="a good bundle, to make bad ones from")
    good = parser.parse_args().bundle
    load(good)
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        for case, expected, said, seconds in refusals(good, Path(name)):
            refused = expected in said and "\n" not in said
            failures += not refused
            mark = "refused" if refused else "NOT REFUSED"
            print(f"{mark}  {case}  ({1000 * seconds:.0f} ms)\n    {said}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(f"{len(CASES)} cases, {failures} not refused, at most {peak:.0f} MB of memory")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
