"""finetune --checkpoint run/pretrained: a teacher of what `pretrain` left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from codewren.data import Dataset
from codewren.run_directory import Run, Step
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.label import label
from codewren.verbs.pretrain import PretrainSettings, pretrain
from codewren.verbs.training import architecture_of_pretrained
from codewren_distill.settings import TrainingSettings
from codewren_distill.teachers import load_teacher
from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture, Task

TASK = Task("t", "single", ("no", "yes"))
SHAPE = Architecture(290, 16, 2, 2, 16, 32)
QUICK = TrainingSettings(epochs=1, batch_size=8, learning_rate=2e-3)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path / "run")
    made.folder.mkdir()
    shape = {"architecture": SHAPE.to_json()}
    Step("search", made.path("architecture.json"), {}).finish(shape)
    return made


def test_a_teacher_can_be_made_of_a_pretrained_encoder(data: Dataset, run: Run) -> None:
    pretrain(run, data, "raw", PretrainSettings(), QUICK)
    source = ModelSource(checkpoint=str(run.path("pretrained")), max_length=16)
    still = replace(QUICK, learning_rate=1e-9)
    finetune(run, data, TASK, source, still, folds=2)
    ours, theirs = (
        load_file(run.path(f"{p}/model.safetensors")) for p in ("teacher", "pretrained")
    )
    name = next(name for name in theirs if name.endswith("encoder.layer.1.output.dense.weight"))
    assert torch.allclose(ours[next(own for own in ours if own.endswith(name))], theirs[name])
    tokenizers = [run.path(f"{p}/tokenizer.json").read_bytes() for p in ("teacher", "pretrained")]
    assert tokenizers[0] == tokenizers[1]
    teacher = load_teacher(str(run.path("teacher")), TASK, 400)
    assert teacher.max_length == SHAPE.max_length
    label(run, data, TASK)
    words = Task("t", "single", ("no", "yes"), "words")
    with pytest.raises(OptionError, match="pre-trained on raw text, the task is on words"):
        finetune(Run(run.folder / "other"), data, words, source, QUICK)


def test_a_pretrained_encoder_reads_texts_in_its_own_way_alone(data: Dataset, run: Run) -> None:
    pretrain(run, data, "raw", PretrainSettings(), QUICK)
    plain = ModelSource(checkpoint=str(run.path("pretrained")))
    flow, cross = replace(plain, data_flow="c"), replace(plain, pair_encoding="cross")
    for source, left in ((flow, "leave out data_flow"), (cross, "leave out pair_encoding cross")):
        with pytest.raises(OptionError, match=left):
            finetune(run, data, TASK, source, QUICK)


def test_a_damaged_pretrained_encoder_is_no_foreign_checkpoint(data: Dataset, run: Run) -> None:
    pretrain(run, data, "raw", PretrainSettings(), QUICK)
    marker = run.path("pretrained/metrics.json")
    whole = json.loads(marker.read_text())
    del whole["checksum"]
    named, inputs = {"settings": {"mask_share": 0.1}}, whole["inputs"]
    for damaged, said in (
        ("{", "is not JSON .*; run pretrain again, or remove it"),
        (json.dumps({"schema": 1, "inputs": named}), "is not as pretrain writes it"),
        (
            json.dumps({**whole, "inputs": {**inputs, "architecture": {"x": 1}}}),
            "names no architecture",
        ),
    ):
        marker.write_text(damaged)
        with pytest.raises(OptionError, match=f"metrics.json: {said}"):
            finetune(run, data, TASK, ModelSource(checkpoint=str(marker.parent)), QUICK)
    for foreign in ("[1]", "{}", '{"inputs": [1]}', '{"inputs": {"settings": 5}}'):
        marker.write_text(foreign)
        assert architecture_of_pretrained(marker.parent, TASK) is None
