"""What `export` believes of a run, and what a refusal leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from codewren.budget import Budget
from codewren.data import Fields, read_examples
from codewren.run_directory import Run
from codewren.verbs.distill import DistillSettings
from codewren.verbs.evaluate import evaluate
from codewren.verbs.export import ExportSettings, export, exported
from codewren.verbs.search import read_architecture
from codewren_distill.classifier import save_classifier
from codewren_distill.student import build_student
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.errors import OptionError
from codewren_runtime.files import write_json
from codewren_runtime.types import Architecture, Task

TEXTS = [f"int f{i}(void) {{ return {i}; }}" for i in range(20)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose student answers, untrained."""
    shape = Architecture(300, 16, 1, 2, 16, 64)
    task = Task("t", "single", ("a", "b", "c"))
    student = build_student(shape, task, train_tokenizer(TEXTS, 300, "structure"), seed=1)
    save_classifier(student, tmp_path / "student")
    (tmp_path / "student" / "samples.jsonl").write_text(
        "".join(json.dumps([text]) + "\n" for text in TEXTS)
    )
    write_json(tmp_path / "student" / "metrics.json", {})
    budget = Budget(3_000_000, 8).to_json()
    write_json(tmp_path / "architecture.json", {"architecture": shape.to_json(), "budget": budget})
    return Run(tmp_path)


def test_a_refused_option_takes_no_finished_bundle_away(run: Run) -> None:
    done = export(run)
    with pytest.raises(OptionError, match="split-max"):
        export(run, ExportSettings(long_inputs="split-max"))
    assert exported(run) == run.path("model.wren")
    assert export(run) == done
    config = run.path("student/config.json")
    config.write_text(config.read_text() + "\n")  # another student
    with pytest.raises(OptionError, match="split-max"):
        export(run, ExportSettings(long_inputs="split-max"))
    assert exported(run) is None


@pytest.mark.parametrize("content", ["garbage", '{"schema": 1, "checksum": "1"}'])
def test_a_damaged_marker_is_no_marker(run: Run, content: str) -> None:
    run.path("export.json").write_text(content)
    run.path("model.wren").write_bytes(b"")
    assert export(run)["quant"] == "int8"


@pytest.mark.parametrize("content", [None, "x\n", '"abc"\n', "[1]\n", "[]\n", b"\xff\n"])
def test_damaged_samples_name_the_remedy(run: Run, content: str | bytes | None) -> None:
    path = run.path("student/samples.jsonl")
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(OptionError, match=r"samples\.jsonl: missing or damaged.*--force"):
        export(run)


def test_a_damaged_architecture_names_file_and_remedy(run: Run) -> None:
    write_json(run.path("architecture.json"), {"architecture": {"vocab_size": 1}})
    with pytest.raises(OptionError, match=r"architecture\.json: .*missing; run search --force"):
        read_architecture(run)


@pytest.mark.parametrize("temperature", [0, 1e-300, 1e300, float("inf"), float("nan")])
def test_a_temperature_that_no_loss_survives_is_refused(temperature: float) -> None:
    with pytest.raises(OptionError, match=r"temperature must be from 0\.001 to 1,000"):
        DistillSettings(temperature=temperature)


def test_a_report_is_believed_of_the_models_that_it_is_of(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    rows = [{"func": text, "target": at % 3} for at, text in enumerate(TEXTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run.set_task(Task("t", "single", ("a", "b", "c")))
    data = read_examples(path, Fields(), ("a", "b", "c"), require_label=True)
    marker = run.path("report.json")

    def scored() -> bool:
        before = marker.stat().st_mtime_ns if marker.exists() else 0
        evaluate(run, data, None)
        return marker.stat().st_mtime_ns != before

    assert scored()
    assert not scored()
    run.path("report.md").unlink()
    assert scored()
    weights = load_file(run.path("student/model.safetensors"))
    changed = {name: 2 * value for name, value in weights.items()}
    save_file(changed, run.path("student/model.safetensors"), {"format": "pt"})
    assert scored()
    assert not scored()
