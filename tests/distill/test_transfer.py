from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codewren_distill.classifier import Classifier, load_classifier
from codewren_distill.labelling import label_examples
from codewren_distill.memory import texts_of
from codewren_distill.models import SiameseModel, mean_pool
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_distill.states import Recorder, TeacherStates, mapped_layers, record_states
from codewren_distill.student import build_student
from codewren_distill.text_side import CrossText, SiameseText
from codewren_distill.train import distill
from codewren_distill.training import LOG, Progress
from codewren_distill.transfer import Weights
from codewren_runtime.errors import DataError, OptionError
from codewren_runtime.types import Architecture, Example, Task

SETTINGS = TrainingSettings(epochs=4, batch_size=16, learning_rate=5e-3, checkpoint_seconds=0)
TEACHER = Architecture(300, 24, 3, 2, 16, 32)
STUDENT = Architecture(300, 16, 2, 2, 16, 32)


class KilledError(Exception):
    pass


@given(student=st.integers(1, 40), teacher=st.integers(1, 40))
def test_the_last_layer_learns_from_the_last_and_none_from_a_lower_one(
    student: int, teacher: int
) -> None:
    layers = mapped_layers(student, teacher)
    assert layers[-1] == teacher
    assert list(layers) == sorted(layers)
    for own, layer in enumerate(layers, start=1):
        assert abs(layer - own * teacher / student) <= 0.5


def test_layers_of_equal_depth_learn_from_each_other() -> None:
    assert mapped_layers(4, 4) == (1, 2, 3, 4)
    assert mapped_layers(2, 12) == (6, 12)
    assert mapped_layers(3, 1) == (0, 1, 1)


def _texts(examples: list[Example]) -> list[str]:
    return texts_of(examples)


def test_states_are_the_means_that_transformers_itself_gives(
    single: Classifier, pair: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    texts = _texts(single_examples)[:5]
    for name, teacher in (("single", single), ("pair", pair)):
        depth = Recorder(teacher.core).depth
        found = record_states(teacher, "t", texts, depth, tmp_path / f"{name}.safetensors")
        side = SiameseText(teacher.text.tokenizer, pairs=False)
        for text in texts:
            batch = side.collate([side.encode(Example(text))])
            with torch.no_grad():
                hidden = teacher.core.base_model(**batch, output_hidden_states=True).hidden_states
            wanted = [mean_pool(layer, batch["attention_mask"])[0] for layer in hidden[1:]]
            states = torch.from_numpy(found.table([text])[0]).float()
            assert torch.allclose(states, torch.stack(wanted), atol=2e-3)
        assert not teacher.core.config.output_hidden_states


def test_recording_goes_on_where_it_was(
    pair: Classifier, pair_examples: list[Example], tmp_path: Path
) -> None:
    path, texts, done = tmp_path / "states.safetensors", _texts(pair_examples), 0

    def stop(count: int) -> None:
        nonlocal done
        done += count
        if done > 64:
            raise KilledError

    with pytest.raises(KilledError):
        record_states(pair, "t", texts, 1, path, checkpoint_seconds=0, advance=stop)
    kept = len(TeacherStates.load(path).states)
    assert 0 < kept < len(texts)
    resumed = record_states(pair, "t", texts, 1, path)
    whole = record_states(pair, "t", texts, 1, tmp_path / "whole.safetensors")
    assert (resumed.table(texts) == whole.table(texts)).all()
    assert (TeacherStates.load(path).table(texts) == whole.table(texts)).all()
    assert len(record_states(pair, "another", texts[:3], 1, path).states) == 3
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match="damaged teacher's states"):
        TeacherStates.load(path)


def _teach(
    task: Task, tokenizer_json: str, examples: list[Example], folder: Path
) -> tuple[SoftLabels, TeacherStates]:
    teacher = build_student(TEACHER, task, tokenizer_json, seed=11)
    soft = label_examples(teacher, "t", examples, folder / "soft.safetensors")
    path = folder / "states.safetensors"
    return soft, record_states(teacher, "t", _texts(examples), STUDENT.num_layers, path)


def _distances(classifier: Classifier, texts: list[str]) -> torch.Tensor:
    side = SiameseText(classifier.text.tokenizer, pairs=False)
    batch = side.collate([side.encode(Example(text)) for text in texts])
    with torch.no_grad(), Recorder(classifier.core) as recorder:
        assert isinstance(classifier.model, SiameseModel)
        classifier.model.embed(**batch)
        (last,) = recorder.pooled(batch, [recorder.depth])
    return torch.pdist(last)


@pytest.mark.parametrize("memory", [False, True], ids=["pairs", "memory"])
def test_relations_of_the_teacher_are_learnt(
    *,
    memory: bool,
    pair_task: Task,
    tokenizer_json: str,
    pair_examples: list[Example],
    tmp_path: Path,
) -> None:
    soft, states = _teach(pair_task, tokenizer_json, pair_examples, tmp_path)
    texts = _texts(pair_examples)[:40]
    teacher = torch.pdist(torch.from_numpy(states.table(texts)[:, -1]).float())
    likeness = []
    for weights in (Weights(), Weights(relations=20.0)):
        student = build_student(STUDENT, pair_task, tokenizer_json, seed=5)
        distill(
            student,
            pair_examples,
            soft,
            replace(SETTINGS, memory=memory),
            tmp_path / str(weights.relations),
            loss="kl",
            temperature=4.0,
            identity="a",
            states=states,
            weights=weights,
        )
        both = torch.stack((teacher, _distances(student, texts)))
        likeness.append(float(torch.corrcoef(both)[0, 1]))
    assert likeness[1] > max(0.8, likeness[0])


def test_hidden_states_of_the_teacher_are_learnt(
    single_task: Task, tokenizer_json: str, single_examples: list[Example], tmp_path: Path
) -> None:
    soft, states = _teach(single_task, tokenizer_json, single_examples, tmp_path)
    student = build_student(STUDENT, single_task, tokenizer_json, seed=5)
    before = student.parameters
    distill(
        student,
        single_examples,
        soft,
        replace(SETTINGS, epochs=12),
        tmp_path / "s",
        loss="kl",
        temperature=4.0,
        identity="a",
        states=states,
        weights=Weights(hidden=1.0),
    )
    losses = [json.loads(line)["loss"] for line in (tmp_path / "s" / LOG).read_text().splitlines()]
    assert losses[0] > 0.9  # nothing is known but the mean, and not even that
    assert np.mean(losses[-8:]) < 0.5
    # What only training needs is not kept.
    assert load_classifier(tmp_path / "s").parameters == student.parameters == before


@pytest.mark.parametrize("memory", [False, True], ids=["pairs", "memory"])
def test_a_killed_transfer_ends_with_the_same_weights(
    *,
    memory: bool,
    pair_task: Task,
    tokenizer_json: str,
    pair_examples: list[Example],
    tmp_path: Path,
) -> None:
    soft, states = _teach(pair_task, tokenizer_json, pair_examples, tmp_path)
    copied = [Example(e.text + " ", e.text2, original=e.texts) for e in pair_examples[:9]]
    examples = pair_examples + copied  # of which the teacher has read the originals

    def train(folder: str, report: object = None) -> Classifier:
        student = build_student(STUDENT, pair_task, tokenizer_json, seed=5)
        distill(
            student,
            examples,
            soft,
            replace(SETTINGS, memory=memory, ema=0.9),
            tmp_path / folder,
            loss="kl",
            temperature=4.0,
            identity="a",
            states=states,
            weights=Weights(0.5, 0.5),
            report=report,  # type: ignore[arg-type]
        )
        return student

    def stop(progress: Progress) -> None:
        if progress.step == 13:
            raise KilledError

    whole = train("whole")
    with pytest.raises(KilledError):
        train("cut", stop)
    resumed = train("cut")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert (tmp_path / "whole" / LOG).read_text() == (tmp_path / "cut" / LOG).read_text()


def test_states_that_do_not_fit_are_refused(
    single_task: Task, tokenizer_json: str, single_examples: list[Example], tmp_path: Path
) -> None:
    soft, states = _teach(single_task, tokenizer_json, single_examples[:20], tmp_path)

    def train(shape: Architecture, states: TeacherStates) -> None:
        student = build_student(shape, single_task, tokenizer_json, seed=5)
        distill(
            student, single_examples[:20], soft, SETTINGS, tmp_path / "s", loss="kl",
            temperature=4.0, identity="a", states=states, weights=Weights(1.0),
        )  # fmt: skip

    with pytest.raises(DataError, match=r"of its layers \[2, 3\].*learns from \[3\]"):
        train(replace(STUDENT, num_layers=1), states)
    few = replace(states, states=dict(list(states.states.items())[:3]))
    with pytest.raises(DataError, match="of other texts"):
        train(STUDENT, few)


def test_a_teacher_that_reads_pairs_at_once_has_no_state_of_a_text(
    single: Classifier, tmp_path: Path
) -> None:
    text = object.__new__(CrossText)
    text.tokenizer = single.text.tokenizer  # type: ignore[assignment]
    crossed = replace(single, text=text)
    with pytest.raises(OptionError, match="siamese"):
        record_states(crossed, "t", ["a"], 1, tmp_path / "s.safetensors")
