from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import RobertaConfig, RobertaForSequenceClassification

from codewren.data import Dataset, Fields, read_examples
from codewren.run_directory import Run
from codewren.verbs.export import export
from codewren.verbs.import_ import import_published
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime import load
from codewren_runtime.errors import DataError, OptionError

CODES = [f"static int f{i}(char *p)\n{{\n  return p[{i}] + {i % 7};\n}}" for i in range(40)]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    torch.manual_seed(0)
    shape = RobertaConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=514,
        type_vocab_size=1,
        initializer_range=0.3,
    )
    state = RobertaForSequenceClassification(shape).state_dict()
    torch.save({f"encoder.{k}": v for k, v in state.items()}, folder / "model.bin")
    (folder / "tokenizer.json").write_text(train_tokenizer(CODES, 300, "published"))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"func": code}) + "\n" for code in CODES))
    return read_examples(path, Fields(label=None), None, require_label=False)


def test_a_checkpoint_becomes_a_student_that_can_be_exported(
    tmp_path: Path, checkpoint: Path, data: Dataset
) -> None:
    run = Run(tmp_path / "run")
    done = import_published(run, checkpoint, data, name="flaws", heads=2)
    assert import_published(run, checkpoint, data, name="flaws", heads=2) == done
    report = export(run)
    assert report["agreement"] == 1
    model = load(run.path("model.wren"))
    assert model.labels == ("safe", "vulnerable")
    assert model.manifest.architecture.max_length == 400
    model.predict(CODES[0])


def test_a_run_keeps_what_it_is_for(tmp_path: Path, checkpoint: Path, data: Dataset) -> None:
    run = Run(tmp_path / "run")
    import_published(run, checkpoint, data, name="flaws", heads=2)
    with pytest.raises(OptionError, match="another architecture"):
        import_published(run, checkpoint, data, name="flaws", heads=4)
    with pytest.raises(OptionError, match="this run's task has the"):
        import_published(run, checkpoint, data, name="other", heads=2)
    import_published(Run(run.folder, force=True), checkpoint, data, name="other", heads=4)


def test_data_of_the_other_kind(tmp_path: Path, checkpoint: Path, data: Dataset) -> None:
    pairs = replace(data, examples=tuple(replace(e, text2="x") for e in data.examples))
    with pytest.raises(DataError, match="reads single texts"):
        import_published(Run(tmp_path / "run"), checkpoint, pairs, name="t", heads=2)
    assert not (tmp_path / "run" / "student").exists()
