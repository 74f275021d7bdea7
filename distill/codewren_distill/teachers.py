"""Teachers: any transformers sequence-classification checkpoint, or a folder of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from codewren_distill.classifier import (
    CARD,
    Classifier,
    load_classifier,
    load_pretrained,
    load_tokenizer,
    text_side,
)
from codewren_distill.models import SequenceModel, SiameseModel
from codewren_distill.pair_heads import PairHead
from codewren_distill.text_side import SiameseText
from codewren_runtime.errors import ModelError
from codewren_runtime.files import file_sha256, sha256_of
from codewren_runtime.types import Task

__all__ = ["PairEncoding", "classifier_hash", "load_teacher", "new_from_checkpoint"]

PairEncoding = Literal["siamese", "cross"]


def load_teacher(name: str, task: Task, max_length: int) -> Classifier:
    """A finished teacher: a folder made by `finetune`, or a checkpoint with a trained head.

    Raises ModelError where the labels disagree with the task's, or where the checkpoint has
    no trained classification head.
    """
    if (Path(name) / CARD).is_file():
        teacher = load_classifier(Path(name))
    else:
        model = _sequence_model(name, task, trained_head=True)
        teacher = _classifier(model, name, task, max_length)
    if teacher.task.labels != task.labels or teacher.task.kind != task.kind:
        raise ModelError(
            f"{name}: teaches {teacher.task.kind} {list(teacher.task.labels)}, the task is "
            f"{task.kind} {list(task.labels)}"
        )
    return teacher


def new_from_checkpoint(
    name: str, task: Task, max_length: int, pair_encoding: PairEncoding, seed: int
) -> Classifier:
    """A pre-trained encoder with a fresh head, to be fine-tuned on the task."""
    torch.manual_seed(seed)
    if task.kind == "single" or pair_encoding == "cross":
        return _classifier(_sequence_model(name, task, trained_head=False), name, task, max_length)
    encoder = load_pretrained(AutoModel, name)
    head = PairHead(int(encoder.config.hidden_size), len(task.labels))
    tokenizer = load_tokenizer(name, _window(encoder.config, max_length))
    text = SiameseText(tokenizer, pairs=True)
    return Classifier(SiameseModel(encoder, head), text, task, tokenizer.max_length)


def classifier_hash(name: str) -> str:
    """sha256 of what decides a classifier's answers: weights, configuration, tokenizer.

    A hub name stands for the commit that its configuration came from.
    """
    folder = Path(name)
    if folder.is_dir():
        parts = sorted(p for p in folder.iterdir() if p.suffix in {".safetensors", ".json", ".txt"})
        return sha256_of({p.name: file_sha256(p) for p in parts if p.name != "metrics.json"})
    config = load_pretrained(AutoConfig, name)
    return sha256_of({"name": name, "commit": getattr(config, "_commit_hash", None)})


def _sequence_model(name: str, task: Task, *, trained_head: bool) -> Any:
    labels = (
        {}
        if trained_head
        else {
            "num_labels": len(task.labels),
            "id2label": dict(enumerate(task.labels)),
            "label2id": {label: i for i, label in enumerate(task.labels)},
            "ignore_mismatched_sizes": True,
        }
    )
    model, info = load_pretrained(
        AutoModelForSequenceClassification, name, output_loading_info=True, **labels
    )
    if trained_head and info["missing_keys"]:
        raise ModelError(f"{name}: has no trained classification head; run finetune on it first")
    if model.config.num_labels != len(task.labels):
        raise ModelError(
            f"{name}: answers {model.config.num_labels} labels, the task has {len(task.labels)}"
        )
    return model


def _classifier(model: Any, name: str, task: Task, max_length: int) -> Classifier:
    tokenizer = load_tokenizer(name, _window(model.config, max_length))
    return Classifier(SequenceModel(model), text_side(task, tokenizer), task, tokenizer.max_length)


def _window(config: Any, max_length: int) -> int:
    """At most what the checkpoint has positions for (RoBERTa loses two to its numbering)."""
    positions = getattr(config, "max_position_embeddings", None)
    if not positions or positions < 0:
        return max_length
    offset = 2 if "roberta" in config.model_type else 0
    return min(max_length, int(positions) - offset)
