"""compress scan as a user meets it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codewren.progress import Silent
from codewren.source import find_functions
from codewren.verbs import scan as verb
from codewren.verbs.scan import ScanSettings, scan
from codewren_runtime import Model, load
from codewren_runtime.errors import BundleError, OptionError

from .conftest import Compress, Scan
from .test_scan_findings import check_sarif, sarif_schema

__all__ = ["sarif_schema"]  # a fixture

FUNCTIONS = 10


def test_every_function_of_every_language_is_judged_as_the_runtime_does(
    tree: Path, scan_tree: Scan, wren: Callable[[str], Path]
) -> None:
    result = scan_tree()
    assert (result.files, result.functions, len(result.findings)) == (9, FUNCTIONS, FUNCTIONS)
    probabilities = [finding.probability for finding in result.findings]
    assert probabilities == sorted(probabilities, reverse=True)
    first = next(f for f in result.findings if f.places[0].function == "first")
    assert (first.places[0].start_line, first.places[0].end_line) == (1, 4)
    code = "int first(int a)\n{\n  return a + 1;\n}"
    assert first.probability == load(wren("single")).predict(code).probabilities["vulnerable"]


def test_the_threshold_divides(tree: Path, scan_tree: Scan) -> None:
    middle = scan_tree().findings[4].probability
    assert len(scan_tree(threshold=middle).findings) == 5
    assert scan_tree(threshold=1.0).findings == []


def test_reasons_are_lines_of_the_function_and_their_true_drops(
    tree: Path, scan_tree: Scan, wren: Callable[[str], Path]
) -> None:
    text = "int f(int n)\n{\n  int a = n;\n  while (a)\n    a--;\n  return a;\n}"
    (tree / "only.c").write_text(f"\n\n{text}\n")
    (finding,) = scan_tree("only.c", explain=1).findings
    predict = load(wren("single")).predict
    whole = predict(text).probabilities["vulnerable"]
    assert finding.reasons
    for reason in finding.reasons:
        lines = text.split("\n")
        assert lines.pop(reason.start_line - 3) == reason.code.strip("\n")
        rest = predict("\n".join(lines)).probabilities["vulnerable"]
        assert reason.drop == pytest.approx(whole - rest)
    assert all(not f.reasons for f in scan_tree(explain=0).findings)


def test_a_second_scan_answers_from_memory(
    tree: Path, scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scan_tree()
    asked: list[str] = []
    monkeypatch.setattr(Model, "predict", lambda _, text: asked.append(text))
    monkeypatch.setattr("codewren.scan.reading.find_functions", lambda *_: pytest.fail("parsed"))
    assert scan_tree(explain=0).findings == [
        type(f)(f.rule, f.label, f.probability, f.places, f.fingerprint) for f in first.findings
    ]
    assert not asked


def test_only_what_changed_is_asked_again(
    tree: Path, scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_tree(explain=0)
    path = tree / "src" / "one.c"
    path.write_text("/* moved */\n" + path.read_text().replace("return 2", "return 3"))
    asked: list[str] = []
    predict = Model.predict
    monkeypatch.setattr(
        Model, "predict", lambda self, text: asked.append(text) or predict(self, text)
    )
    assert scan_tree(explain=0).functions == FUNCTIONS
    assert asked == ["int second(void) { return 3; }"]


def test_a_baseline_hides_what_is_known_and_shows_what_is_new(
    tree: Path, scan_tree: Scan, tmp_path: Path
) -> None:
    baseline = tmp_path / "base.json"
    assert len(scan_tree(new_baseline=baseline).findings) == FUNCTIONS
    path = tree / "src" / "one.c"
    path.write_text("\n\n" + path.read_text() + "int third(void) { return 3; }\n")
    result = scan_tree(baseline=baseline)
    assert [f.places[0].function for f in result.findings] == ["third"]
    assert result.known == FUNCTIONS


def test_sarif_of_a_scan_is_valid_and_the_same_again(
    tree: Path, scan_tree: Scan, tmp_path: Path, sarif_schema: dict[str, Any]
) -> None:
    for kind in ("single", "pair"):
        first, second = tmp_path / "1.sarif", tmp_path / "2.sarif"
        scan_tree(kind=kind, min_lines=1, sarif=first)
        scan_tree(kind=kind, min_lines=1, sarif=second, use_cache=False)
        assert first.read_bytes() == second.read_bytes()
        log = json.loads(first.read_bytes())
        check_sarif(log, sarif_schema)
        assert "src/two%20words/b.cpp" in first.read_text()


def test_labels_and_thresholds_that_do_not_fit(
    tree: Path, scan_tree: Scan, wren: Callable[[str], Path]
) -> None:
    with pytest.raises(OptionError, match=r"which label.*safe, vulnerable, unknown"):
        scan_tree(label=None)
    with pytest.raises(OptionError, match="there is no label 'evil'"):
        scan_tree(label="evil")
    with pytest.raises(BundleError, match=r"no\.wren"):
        scan([tree], ScanSettings(tree / "no.wren"), Silent())


def test_odd_files_do_not_stop_a_scan(tree: Path, scan_tree: Scan) -> None:
    (tree / "binary.c").write_bytes(b"\x7fELF\0\0\0")
    (tree / "latin.c").write_bytes(b'int l(void) { return "\xe9\xff"[0]; }\n')
    (tree / "surrogate.py").write_text("def s():\n    return '\\ud800'\n")
    (tree / "braces.c").write_bytes(b"{" * 1_000_000)
    (tree / os.fsdecode(b"n\xff\xfe.c")).write_text("int odd(void) { return 1; }\n")
    (tree / "empty.c").write_bytes(b"")
    result = scan_tree()
    assert result.functions == FUNCTIONS + 3
    assert result.skipped == {"binary": 1, "too hard to parse": 1}
    assert "n\\xff\\xfe.c" in {place["file"] for place in result.to_json()["findings"]}


def test_a_file_that_goes_during_the_scan_is_counted(
    tree: Path, scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = verb.find_files

    def find_and_delete(*arguments: Any) -> Any:
        found = find(*arguments)
        (tree / "src" / "one.c").unlink()
        return found

    monkeypatch.setattr(verb, "find_files", find_and_delete)
    result = scan_tree()
    assert result.skipped == {"unreadable": 1}
    assert result.functions == FUNCTIONS - 2


def test_a_file_over_which_the_parser_ponders_is_counted(
    tree: Path, scan_tree: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "codewren.scan.reading.find_functions",
        lambda source, language: find_functions(source, language, cpu_seconds=0.02),
    )
    (tree / "hard.c").write_bytes(b"( { [ " * 50_000)
    result = scan_tree()
    assert result.skipped == {"too hard to parse": 1}
    assert result.functions == FUNCTIONS


def test_exit_statuses(compress_scan: Compress, tree: Path) -> None:
    everything = ("--label", "vulnerable", "--threshold", "0")
    found = compress_scan(".", *everything)
    assert found.returncode == 1, found.stderr
    assert "src/one.c:1" in found.stdout
    assert f"{FUNCTIONS} findings (0 known ones hidden) in 10 functions of 9 files" in found.stdout
    assert compress_scan(".", *everything, "--fail-on", "never").returncode == 0
    assert compress_scan(".", *everything, "--write-baseline", "base.json").returncode == 0
    quiet = compress_scan(".", *everything, "--baseline", "base.json", "--json", "--quiet")
    assert quiet.returncode == 0
    assert quiet.stderr == ""
    assert json.loads(quiet.stdout)["known"] == FUNCTIONS
    for wrong in (("none.c", *everything), (".",), (".", *everything, "--baseline", "no.json")):
        done = compress_scan(*wrong)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
    assert compress_scan("README.md", *everything).returncode == 0


def test_names_and_code_do_not_steer_the_terminal(compress_scan: Compress, tree: Path) -> None:
    (tree / "[red]\x1b[31m.c").write_text('int f(void)\n{\n  return "\x1b[2J[bold]"[0];\n}\n')
    done = compress_scan("[red]\x1b[31m.c", "--label", "vulnerable", "--threshold", "0")
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "[red]" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to send there")
def test_an_interrupted_scan_leaves_its_answers(
    tree: Path, wren: Callable[[str], Path], tmp_path: Path, scan_tree: Scan
) -> None:
    for i in range(800):
        functions = (f"int f{i}_{j}(void) {{ return {i} * {j}; }}\n" for j in range(100))
        (tree / f"many{i}.c").write_text("".join(functions))
    cache = tmp_path / "cache" / "scan.sqlite"
    command = [
        sys.executable, "-m", "codewren", "scan", ".", "--bundle", str(wren("single")),
        "--cache", str(cache.parent), "--label", "vulnerable",
    ]  # fmt: skip
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wal = cache.with_name("scan.sqlite-wal")
    while running.poll() is None and not (wal.exists() and wal.stat().st_size > 50_000):
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 130, errors
    assert "goes on where it was" in errors
    assert cache.stat().st_size > 20_000
    assert scan_tree("many0.c").functions == 100
