"""Teachers of folds: each row is labelled by the one that did not see it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codewren.data import Dataset
from codewren.recipe import load_recipe
from codewren.run_directory import Run
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.folds import finish_folds, in_folds, outside
from codewren.verbs.label import SOFT_LABELS, LabelSource, label
from codewren_distill.classifier import load_classifier
from codewren_distill.scoring import logits_of
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Architecture, Example, Task

TASK = Task("t", "single", ("no", "yes"))
SOURCE = ModelSource(architecture=Architecture(280, 16, 1, 2, 16, 32))
TRAINING = TrainingSettings(epochs=1, batch_size=8)
FOLDS = 3
RECIPE = """
[data]
train = "rows.jsonl"
unlabelled = "rows.jsonl"
test = "rows.jsonl"
[teacher]
architecture = { vocab_size = 280, hidden_size = 16, num_layers = 1, num_heads = 2, \
intermediate_size = 16, max_length = 32 }
"""


def test_each_row_has_the_answer_of_the_teacher_that_left_it_out(
    data: Dataset, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    finetune(run, data, TASK, SOURCE, TRAINING, folds=FOLDS)
    label(run, data, TASK)
    soft = SoftLabels.load(run.path(SOFT_LABELS))
    seen = 0
    for fold, (folder, rows) in enumerate(in_folds(str(run.path("teacher")), data.examples, FOLDS)):
        assert Path(folder) == run.path(f"teacher/folds/{fold}")
        left = outside(data, fold, FOLDS)
        assert not {row.text for row in rows} & {row.text for row in left.examples}
        assert len(rows) + len(left.examples) == len(data.examples)
        alone = Run(tmp_path / f"alone {fold}")
        finetune(alone, left, TASK, SOURCE, TRAINING)
        expected = logits_of(load_classifier(alone.path("teacher")), rows)
        assert np.allclose(soft.matrix(rows), expected, atol=1e-5)
        seen += len(rows)
    assert seen == len(data.examples)
    whole = logits_of(load_classifier(run.path("teacher")), data.examples)
    assert not np.allclose(soft.matrix(data.examples), whole, atol=1e-3)


def test_a_rewriting_is_in_the_fold_of_its_original() -> None:
    rows = [Example(f"int f{i}();") for i in range(20)]
    rewritten = [
        replace(row, text=f"/* {i} */", original=(row.text,)) for i, row in enumerate(rows)
    ]
    for (_, own), (_, same) in zip(
        in_folds("t", rows, FOLDS), in_folds("t", rewritten, FOLDS), strict=True
    ):
        assert [row.text for row in own] == [(row.original or ("",))[0] for row in same]


def test_folds_are_made_once_and_are_part_of_what_labels_hang_on(
    data: Dataset, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    made = finetune(run, data, TASK, SOURCE, TRAINING)
    plain = label(run, data, TASK)
    stamps = []
    for _ in range(2):
        assert finetune(run, data, TASK, SOURCE, TRAINING, folds=2) == made
        folds = sorted(run.path("teacher/folds").glob("*/model.safetensors"))
        stamps.append([path.stat().st_mtime_ns for path in folds])
    assert len(stamps[0]) == 2
    assert stamps[0] == stamps[1]
    assert label(run, data, TASK)["sha256"] != plain["sha256"]
    finetune(run, data, TASK, SOURCE, TRAINING)
    assert not run.path("teacher/folds").exists()
    assert label(run, data, TASK)["sha256"] == plain["sha256"]


def test_an_ensemble_takes_each_teacher_with_its_folds(data: Dataset, tmp_path: Path) -> None:
    names, alone = [], []
    for seed, folds in ((1, 2), (2, 0)):
        run = Run(tmp_path / f"{seed}")
        finetune(run, data, TASK, SOURCE, replace(TRAINING, seed=seed), folds=folds)
        label(run, data, TASK)
        logits = SoftLabels.load(run.path(SOFT_LABELS)).matrix(data.examples)
        shares = np.exp(logits.astype(np.float64))
        alone.append(shares / shares.sum(1, keepdims=True))
        names.append(str(run.path("teacher")))
    both = Run(tmp_path / "both")
    label(both, data, TASK, LabelSource(tuple(names)))
    logits = SoftLabels.load(both.path(SOFT_LABELS)).matrix(data.examples)
    assert np.allclose(np.exp(logits), (alone[0] + alone[1]) / 2, atol=1e-6)


def test_folds_that_are_not_whole_label_nothing(data: Dataset, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    weights = run.path("teacher/folds/1/model.safetensors")
    kept = weights.read_bytes()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(OptionError, match="was changed since it was written; run finetune again"):
        label(run, data, TASK)
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    assert weights.read_bytes() == kept
    run.path("teacher/folds/folds.json").unlink()
    with pytest.raises(OptionError, match="not all there; run finetune again"):
        label(run, data, TASK)
    shutil.rmtree(run.path("teacher/folds/0"))
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    label(run, data, TASK)


def test_folds_of_a_former_teacher_label_nothing(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path / "run")
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    other = replace(TRAINING, epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr("codewren.verbs.finetune.outside", lambda *_: 1 / 0)  # killed between the two
        with pytest.raises(ZeroDivisionError):
            finetune(run, data, TASK, SOURCE, other, folds=2)
    with pytest.raises(OptionError, match="was made beside another teacher; run finetune again"):
        label(run, data, TASK)
    finetune(run, data, TASK, SOURCE, other, folds=2)
    label(run, data, TASK)


def test_what_says_that_folds_are_whole_may_be_damaged(data: Dataset, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    marker = run.path("teacher/folds/folds.json")
    for inputs in ({}, [], {"teacher": "", "folds": 7}, {"teacher": "", "folds": []}):
        marker.write_text(json.dumps({"schema": 1, "inputs": inputs}))
        with pytest.raises(OptionError, match=r"folds\.json: is not as finetune writes it"):
            label(run, data, TASK)
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    label(run, data, TASK)


def test_folds_that_were_moved_elsewhere_go_as_a_link(data: Dataset, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    folds, elsewhere = run.path("teacher/folds"), tmp_path / "elsewhere"
    folds.rename(elsewhere)
    folds.symlink_to(elsewhere)
    label(run, data, TASK)
    finetune(run, data, TASK, SOURCE, TRAINING)
    assert not folds.is_symlink()
    assert (elsewhere / "1/model.safetensors").is_file()


def test_folds_that_cannot_be_removed_are_named(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied", "folds.json")

    run = Run(tmp_path / "run")
    finetune(run, data, TASK, SOURCE, TRAINING, folds=2)
    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(OptionError, match=r"teacher/folds: cannot be removed .*; remove it"):
        finish_folds(run, "teacher", 0)


def test_folds_that_cannot_be_are_refused(data: Dataset, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    for folds in (-1, 1, 101):
        with pytest.raises(OptionError, match="folds must be 0 or from 2 to 100"):
            finetune(run, data, TASK, SOURCE, TRAINING, folds=folds)
    with pytest.raises(OptionError, match="leave them out for the control"):
        finetune(run, data, TASK, SOURCE, TRAINING, into="control", folds=2)
    few = replace(data, examples=data.examples[:2], lines=data.lines[:2])
    with pytest.raises(DataError, match=r"data\.jsonl: 2 rows leave one of 50 folds empty"):
        finetune(run, few, TASK, SOURCE, TRAINING, folds=50)
    alone = [replace(row, label=int(i == 3)) for i, row in enumerate(data.examples)]
    with pytest.raises(DataError, match=r"data\.jsonl: all rows outside fold \d of 2 have one"):
        finetune(run, replace(data, examples=alone), TASK, SOURCE, TRAINING, folds=2)
    assert not run.folder.exists()  # all that before the first of the trainings


def test_recipes_name_folds(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    for told, folds in (("", 0), ("folds = 5", 5)):
        path.write_text(RECIPE + told)
        assert load_recipe(path).folds == folds
    for told, wrong in (("folds = 1", "folds must be 0 or from 2"), ("folds = true", "type int")):
        path.write_text(RECIPE + told)
        with pytest.raises(OptionError, match=wrong):
            load_recipe(path)
