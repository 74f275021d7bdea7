"""Embeddings: what the losses say, what a folder keeps, and that a resumed run is the same run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoModel, PreTrainedTokenizerFast

from codewren_distill.classifier import Classifier, load_classifier, save_classifier
from codewren_distill.embeddings import REMEMBERED, AlikeAsTaught, BelongTogether, EachText
from codewren_distill.labelling import label_examples
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, Supervision, TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_distill.student import build_student
from codewren_distill.teachers import load_teacher
from codewren_distill.train import distill, finetune
from codewren_distill.training import Progress
from codewren_runtime.errors import DataError, ModelError, OptionError
from codewren_runtime.types import Example, Task

from .conftest import TINY, WORDS, texts

TASK = Task("search", "embedding", ())
SETTINGS = TrainingSettings(epochs=6, batch_size=8, learning_rate=5e-3, checkpoint_seconds=0)
PAIRS = [
    Example(f"{word} x = {i}", f"return {word} beta {(7 * i + 3) % 32}")
    for i, word in enumerate(texts(32))
]


class Fixed(nn.Module):
    """Stands for a model in the tests of losses: its embeddings are what it is given."""

    def forward(self, vectors: Tensor) -> Tensor:
        return normalize(vectors, dim=-1)


@pytest.fixture
def student(tokenizer_json: str) -> Classifier:
    return build_student(TINY, TASK, tokenizer_json, seed=1)


@pytest.fixture
def checkpoint(tmp_path: Path, tokenizer_json: str) -> str:
    """A BERT of random weights, 24 wide: no head, as a hub has them."""
    folder = tmp_path / "bert"
    config = transformers.BertConfig(
        vocab_size=300, hidden_size=24, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=40, pad_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    (tmp_path / "raw.json").write_text(tokenizer_json)
    PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "raw.json"), bos_token="<s>", eos_token="</s>",
        pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>",
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


def _soft(teacher: Classifier, examples: list[Example], path: Path) -> SoftLabels:
    return label_examples(teacher, "t", EachText(examples), path)


def test_the_teachers_own_vectors_have_no_loss_and_others_have_some() -> None:
    teacher = normalize(torch.randn(20, 6), dim=-1)
    numbers = torch.arange(20)[:, None]
    assert AlikeAsTaught(teacher)(Fixed(), {"vectors": teacher}, numbers) < 1e-12
    turned = teacher @ torch.linalg.qr(torch.randn(6, 6)).Q  # the same cosines
    assert AlikeAsTaught(teacher)(Fixed(), {"vectors": turned}, numbers) < 1e-12
    assert AlikeAsTaught(teacher)(Fixed(), {"vectors": torch.randn(20, 3)}, numbers) > 0.05


def test_a_batch_is_compared_with_what_was_embedded_before() -> None:
    teacher = torch.eye(3)
    objective = AlikeAsTaught(teacher)
    same = torch.tensor([[1.0, 0.0]])
    assert objective(Fixed(), {"vectors": same}, torch.tensor([[0]])) == 0
    # With itself 1 as it should be, with the remembered one 1 where the teacher says 0.
    assert objective(Fixed(), {"vectors": same}, torch.tensor([[1]])) == pytest.approx(0.5)
    many = torch.randn(REMEMBERED + 5, 2)
    objective(Fixed(), {"vectors": many}, torch.zeros(len(many), 1, dtype=torch.long))
    assert len(objective.memory) == len(objective.numbers) == REMEMBERED


def test_pairs_that_belong_together_have_less_loss_and_twins_are_no_negatives() -> None:
    vectors = torch.eye(4)
    numbers = torch.tensor([[0, 4], [1, 5], [2, 6], [3, 7]])
    right = BelongTogether()(Fixed(), {"vectors": torch.cat((vectors, vectors))}, numbers)
    wrong = BelongTogether()(Fixed(), {"vectors": torch.cat((vectors, vectors.flip(0)))}, numbers)
    assert right < 1e-6
    assert wrong > 10
    twins = torch.tensor([[0, 4], [0, 4]])  # one row twice: neither has anything to be wrong about
    alike = torch.ones(4, 2)
    assert BelongTogether()(Fixed(), {"vectors": alike}, twins) == 0


def test_any_encoder_is_a_teacher_as_it_is(checkpoint: str) -> None:
    examples = [Example(text) for text in texts(9)]
    mean = load_teacher(checkpoint, TASK, 32)
    first = load_teacher(checkpoint, TASK, 32, "first")
    one, other = logits_of(mean, examples), logits_of(first, examples)
    assert one.shape == (9, 24)
    assert np.linalg.norm(one, axis=1) == pytest.approx(np.ones(9), abs=1e-5)
    assert not np.allclose(one, other, atol=1e-3)
    encoder = mean.core
    ids = torch.tensor([mean.text.tokenizer.encode(examples[0].text)])
    with torch.inference_mode():
        hidden = encoder(ids).last_hidden_state[0].mean(0)
    assert one[0] == pytest.approx(normalize(hidden, dim=0).numpy(), abs=1e-5)
    with pytest.raises(ModelError, match="no trained classification head"):
        load_teacher(checkpoint, Task("t", "single", ("a", "b")), 32)


def test_embeddings_are_kept_in_half_precision_and_labelling_goes_on(
    checkpoint: str, tmp_path: Path
) -> None:
    teacher, path = load_teacher(checkpoint, TASK, 32), tmp_path / "soft.safetensors"
    begun = _soft(teacher, PAIRS[:9], path)
    done: list[int] = []
    soft = label_examples(teacher, "t", EachText(PAIRS), path, advance=done.append)
    assert sum(done) == 2 * len(PAIRS)
    loaded = SoftLabels.load(path)
    rows = EachText(PAIRS)
    assert loaded.matrix(rows).dtype == np.float16
    assert np.array_equal(loaded.matrix(rows), soft.matrix(rows))
    assert loaded.matrix(rows) == pytest.approx(logits_of(teacher, rows), abs=1e-3)
    assert np.array_equal(begun.matrix(rows[:18]), loaded.matrix(rows[:18]))


def test_a_student_of_another_width_learns_its_teachers_cosines(
    student: Classifier, tmp_path: Path
) -> None:
    rows = EachText(PAIRS)
    words = np.array([[word in row.text for word in WORDS] for row in rows], dtype=np.float32)
    wanted = words / np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1)
    soft = SoftLabels("t", (), {})
    soft.add(rows, wanted)

    def error() -> float:
        mine = logits_of(student, rows)
        assert mine.shape == (2 * len(PAIRS), TINY.hidden_size)
        return float(np.square(mine @ mine.T - wanted @ wanted.T).mean())

    before = error()
    distill(student, PAIRS, soft, SETTINGS, tmp_path / "student",
            loss="kl", temperature=1, identity="x")  # fmt: skip
    assert error() < 0.5 * before


def test_pairs_alone_teach_that_they_belong_together(student: Classifier, tmp_path: Path) -> None:
    def found() -> float:
        vectors = logits_of(student, EachText(PAIRS)).reshape(len(PAIRS), 2, -1)
        cosines = vectors[:, 0] @ vectors[:, 1].T
        return float((cosines.argmax(1) == np.arange(len(PAIRS))).mean())

    before = found()
    finetune(student, PAIRS, SETTINGS, tmp_path, identity="x")
    assert found() > before + 0.1


def test_a_killed_run_goes_on_to_the_very_same_weights(
    tokenizer_json: str, checkpoint: str, tmp_path: Path
) -> None:
    soft = _soft(load_teacher(checkpoint, TASK, 32), PAIRS, tmp_path / "soft.safetensors")

    def train(folder: str, stop: int = 0) -> list[np.ndarray]:
        student = build_student(TINY, TASK, tokenizer_json, seed=1)

        def report(progress: Progress) -> None:
            if progress.step == stop:
                raise KeyboardInterrupt

        distill(student, PAIRS, soft, SETTINGS, tmp_path / folder,
                loss="kl", temperature=1, identity="x", report=report)  # fmt: skip
        return [p.detach().numpy() for p in student.model.parameters()]

    whole = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("parts", stop=7)
    for one, other in zip(whole, train("parts"), strict=True):
        assert np.array_equal(one, other)


def test_a_folder_keeps_an_embedding_model(student: Classifier, tmp_path: Path) -> None:
    save_classifier(student, tmp_path)
    loaded = load_classifier(tmp_path)
    rows = [Example(text) for text in texts(5)]
    assert np.array_equal(logits_of(loaded, rows), logits_of(student, rows))
    assert loaded.parameters == student.parameters
    card = tmp_path / "classifier.json"
    card.write_text(card.read_text().replace('"mean"', '"middle"'))
    with pytest.raises(ModelError, match="pooling is missing"):
        load_classifier(tmp_path)


def test_what_only_labels_can_use_is_refused(
    student: Classifier, tokenizer_json: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="--text1 and --text2"):
        finetune(student, [Example("a")], SETTINGS, tmp_path, identity="x")
    for settings, supervision in (
        (TrainingSettings(memory=True), Supervision()),
        (TrainingSettings(label_smoothing=0.1), Supervision()),
        (SETTINGS, Supervision(class_weights="balanced")),
        (SETTINGS, Supervision(valid_share=0.1)),
    ):
        with pytest.raises(OptionError, match="an embedding has none"):
            finetune(student, PAIRS, settings, tmp_path, identity="x", supervision=supervision)
    with pytest.raises(OptionError, match="ngrams are for labels"):
        build_student(TINY, TASK, tokenizer_json, seed=0, fresh=FreshStudent(ngrams=64))
