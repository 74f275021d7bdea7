"""Teachers: any transformers sequence-classification checkpoint, or a folder of our own."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForSequenceClassification

from codewren_distill.checkpoints import (
    base_of,
    is_encoder_decoder,
    load_config,
    load_encoder,
    load_model,
    load_tokenizer,
    unheard,
)
from codewren_distill.classifier import CARD, Classifier, load_classifier, text_side
from codewren_distill.data_flow import DataFlowText, GraphModel
from codewren_distill.data_flow.model import graph_window
from codewren_distill.models import EmbeddingModel, PooledModel, SequenceModel, SiameseModel
from codewren_distill.pair_heads import PAIR_HEADS, PairHead, Pooling
from codewren_distill.text_side import SiameseText
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.files import file_sha256, sha256_of
from codewren_runtime.types import Task

__all__ = ["PairEncoding", "classifier_hash", "load_teacher", "new_from_checkpoint"]

# Files that decide answers: weights, configuration, tokenizer.
PARTS = {".safetensors", ".bin", ".json", ".txt", ".model"}

PairEncoding = Literal["siamese", "cross"]


def load_teacher(name: str, task: Task, max_length: int, pooling: Pooling = "mean") -> Classifier:
    """A finished teacher: a folder made by `finetune`, or a checkpoint with a trained head.

    For embeddings any encoder is one as it is, its tokens pooled as `pooling` says. Raises
    ModelError where the labels disagree with the task's, or where the checkpoint has no trained
    classification head.
    """
    if (Path(name) / CARD).is_file():
        teacher = load_classifier(Path(name))
    elif task.kind == "embedding":
        teacher = _embedding(name, task, max_length, pooling)
    else:
        model = SequenceModel(_sequence_model(name, task, trained_head=True))
        teacher = _classifier(model, name, task, max_length)
    teacher.name = name
    if teacher.task.labels != task.labels or teacher.task.kind != task.kind:
        raise ModelError(
            f"{name}: teaches {teacher.task.kind} {list(teacher.task.labels)}, the task is "
            f"{task.kind} {list(task.labels)}; label with a teacher of this task"
        )
    return teacher


def new_from_checkpoint(
    name: str,
    task: Task,
    max_length: int,
    pair_encoding: PairEncoding,
    seed: int,
    data_flow: str | None = None,
    pair_head: str = "difference",
) -> Classifier:
    """A pre-trained encoder with a fresh head, to be fine-tuned on the task.

    With `data_flow`, a language, it reads the text's data flow too, as GraphCodeBERT does.
    `pair_head`, one of `PAIR_HEADS`, is that of pairs whose texts are read each alone.
    """
    torch.manual_seed(seed)
    if pair_head != PairHead.kind and (task.kind != "pair" or pair_encoding == "cross"):
        raise OptionError(
            f"the pair head {pair_head} is for pairs whose texts are read each alone; leave it out"
        )
    if task.kind == "embedding":
        return _embedding(name, task, max_length, "mean")
    if data_flow is not None:
        return _graph_classifier(name, task, max_length, data_flow)
    if task.kind == "single" or pair_encoding == "cross":
        if is_encoder_decoder(name):
            encoder = load_encoder(name)
            size = int(encoder.config.hidden_size)
            return _classifier(PooledModel(encoder, size, len(task.labels)), name, task, max_length)
        model = SequenceModel(_sequence_model(name, task, trained_head=False))
        return _classifier(model, name, task, max_length)
    encoder = load_encoder(name)
    head = PAIR_HEADS[pair_head](int(encoder.config.hidden_size), len(task.labels))
    tokenizer = load_tokenizer(name, _window(encoder.config, max_length))
    text = SiameseText(tokenizer, pairs=True)
    return Classifier(SiameseModel(encoder, head), text, task, tokenizer.max_length)


def classifier_hash(name: str) -> str:
    """sha256 of what decides a classifier's answers: weights, configuration, tokenizer.

    A hub name stands for the commit that its configuration came from.
    """
    folder = Path(name)
    if folder.is_dir():
        parts = sorted(p for p in folder.iterdir() if p.suffix in PARTS)
        hashes = {p.name: file_sha256(p) for p in parts if p.name != "metrics.json"}
        base = base_of(name)
        return sha256_of(hashes if base is None else hashes | {"base of": classifier_hash(base)})
    config = load_config(name)
    return sha256_of({"name": name, "commit": getattr(config, "_commit_hash", None)})


def _sequence_model(name: str, task: Task, *, trained_head: bool) -> Any:
    labels: dict[str, Any] = {
        "num_labels": len(task.labels),
        "id2label": dict(enumerate(task.labels)),
        "label2id": {label: i for i, label in enumerate(task.labels)},
        "ignore_mismatched_sizes": True,
    }
    # The base of an adapter knows nothing of its labels; a checkpoint is asked for its own.
    if trained_head and base_of(name) is None:
        labels = {}
    with unheard() if trained_head else contextlib.nullcontext():
        model, missing = load_model(AutoModelForSequenceClassification, name, **labels)
    if trained_head and missing:
        raise ModelError(f"{name}: has no trained classification head; run finetune on it first")
    if model.config.num_labels != len(task.labels):
        raise ModelError(
            f"{name}: answers {model.config.num_labels} labels, the task has {len(task.labels)}; "
            "name the teacher's own with --labels"
        )
    if trained_head:
        _refuse_other_order(name, model.config.id2label, task)
    return model


def _refuse_other_order(name: str, own: dict[int, str], task: Task) -> None:
    """Columns are taken by their order; names that a checkpoint has of its own tell a wrong one.

    LABEL_0, LABEL_1 and names that are none of the task's tell nothing.
    """
    names = tuple(str(own.get(i, "")) for i in range(len(task.labels)))
    if names != task.labels and set(names) & set(task.labels):
        raise ModelError(
            f"{name}: answers {list(names)} in this order, the task {list(task.labels)}; "
            "give --labels in the teacher's order"
        )


def _classifier(model: SequenceModel, name: str, task: Task, max_length: int) -> Classifier:
    config: Any = model.model.config
    tokenizer = load_tokenizer(name, _window(config, max_length))
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_id
    return Classifier(model, text_side(task, tokenizer, config), task, tokenizer.max_length)


def _embedding(name: str, task: Task, max_length: int, pooling: Pooling) -> Classifier:
    encoder = load_encoder(name)
    tokenizer = load_tokenizer(name, _window(encoder.config, max_length))
    text = SiameseText(tokenizer, pairs=False)
    return Classifier(EmbeddingModel(encoder, pooling), text, task, tokenizer.max_length)


def _graph_classifier(name: str, task: Task, max_length: int, language: str) -> Classifier:
    window = graph_window(load_config(name), max_length)
    text = DataFlowText(load_tokenizer(name, window), language)
    model = GraphModel(_sequence_model(name, task, trained_head=False))
    return Classifier(model, text, task, window)


def _window(config: Any, max_length: int) -> int:
    """At most what the checkpoint has positions for (RoBERTa loses two to its numbering)."""
    positions = getattr(config, "max_position_embeddings", None)
    if not positions or positions < 0:
        return max_length
    offset = 2 if "roberta" in config.model_type else 0
    return min(max_length, int(positions) - offset)
