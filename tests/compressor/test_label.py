"""`label` on a run directory: from a file, from several teachers, and what need not run again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codewren.data import Dataset, Fields, read_examples
from codewren.run_directory import Run
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.label import SOFT_LABELS, LabelSource, label
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Architecture, Example, Task

TASK = Task("t", "single", ("no", "yes"))
SHAPE = Architecture(280, 16, 1, 2, 16, 32)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "teachers.md"


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    rows = [{"func": f"int f{i}() {{ {'x' * (i % 4)}; }}", "target": i % 2} for i in range(24)]
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_examples(path, Fields(), TASK.labels, require_label=True)


def _teacher(folder: Path, data: Dataset, seed: int) -> str:
    source = ModelSource(architecture=SHAPE)
    finetune(Run(folder), data, TASK, source, TrainingSettings(epochs=1, seed=seed))
    return str(folder / "teacher")


def _logits(run: Run, data: Dataset) -> np.ndarray:
    return SoftLabels.load(run.path(SOFT_LABELS)).matrix(data.examples)


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits.astype(np.float64))
    return shares / shares.sum(1, keepdims=True)  # type: ignore[no-any-return]


def test_several_teachers_give_the_mean_of_their_probabilities(
    data: Dataset, tmp_path: Path
) -> None:
    one, other = (_teacher(tmp_path / f"t{seed}", data, seed) for seed in (1, 2))
    alone = []
    for name in (one, other):
        run = Run(tmp_path / f"alone{len(alone)}")
        label(run, data, TASK, LabelSource((name,)))
        alone.append(_softmax(_logits(run, data)))
    run = Run(tmp_path / "run")
    made = label(run, data, TASK, LabelSource((one, other)))
    assert _softmax(_logits(run, data)) == pytest.approx((alone[0] + alone[1]) / 2, abs=1e-6)
    assert not run.path("labelling").exists()
    assert not np.allclose(alone[0], alone[1])
    stamp = run.path(SOFT_LABELS).stat().st_mtime_ns
    assert label(run, data, TASK, LabelSource((one, other))) == made  # skipped
    assert run.path(SOFT_LABELS).stat().st_mtime_ns == stamp
    label(run, data, TASK, LabelSource((one, one, other)))
    assert _softmax(_logits(run, data)) == pytest.approx((2 * alone[0] + alone[1]) / 3, abs=1e-6)


def test_a_file_is_a_teacher_and_a_changed_file_another(data: Dataset, tmp_path: Path) -> None:
    hashes = [example_key(example).hex() for example in data.examples]
    soft, run = tmp_path / "soft.jsonl", Run(tmp_path / "run")
    for value in (0.5, 0.75):
        soft.write_text(
            "".join(
                json.dumps({"sha256": key, "probabilities": [1 - value, value]}) + "\n"
                for key in hashes
            )
        )
        done = label(run, data, TASK, LabelSource(soft_labels=soft))
        assert _softmax(_logits(run, data))[:, 1] == pytest.approx(value)
        assert done == label(run, data, TASK, LabelSource(soft_labels=soft))
    assert run.task() == TASK
    assert done["predicted"] == {"no": 0, "yes": 1}


def test_a_sample_takes_its_part_of_the_file(data: Dataset, tmp_path: Path) -> None:
    from codewren.pipeline import sample

    soft = tmp_path / "soft.jsonl"
    lines = [{"sha256": example_key(e).hex(), "logits": [0, 1]} for e in data.examples]
    soft.write_text("".join(json.dumps(line) + "\n" for line in lines))
    part, source = sample(data, 5, 0), LabelSource(soft_labels=soft)
    with pytest.raises(DataError, match="no row of"):
        label(Run(tmp_path / "run"), part, TASK, source)
    assert label(Run(tmp_path / "run"), part, TASK, source, whole=data)["examples"] == 5


def test_sources_that_contradict_are_refused(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="either teachers or a file"):
        LabelSource(("a",), tmp_path / "b")
    with pytest.raises(OptionError, match="--soft-labels"):
        LabelSource(id="idx")
    with pytest.raises(DataError, match="no such file of soft labels"):
        label(Run(tmp_path), data, TASK, LabelSource(soft_labels=tmp_path / "none"))


def test_the_documented_content_hash_is_ours() -> None:
    code = DOCS.read_text().split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(code, names)
    for texts in (("int größe;",), ("a", "b"), ("ab", "")):
        assert names["content_hash"](*texts) == example_key(Example(*texts)).hex()  # type: ignore[operator]
