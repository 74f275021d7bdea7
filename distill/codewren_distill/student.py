"""The student module: a RoBERTa or ALBERT of a given architecture, built once, here."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    RobertaConfig,
)

from codewren_distill.classifier import Classifier
from codewren_distill.models import EmbeddingModel, SequenceModel, SiameseModel
from codewren_distill.ngrams import NgramBag, TraitBag
from codewren_distill.pair_heads import PAIR_HEADS, SharedHead
from codewren_distill.settings import FreshStudent
from codewren_distill.text_side import SiameseText
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.tokenizer import PAD, SPECIAL_TOKENS, CodeTokenizer
from codewren_runtime.types import Architecture, Task

__all__ = ["build_student", "student_config"]

PAD_ID = SPECIAL_TOKENS.index(PAD)


def student_config(
    architecture: Architecture, task: Task, dropout: float = 0.0
) -> RobertaConfig | AlbertConfig:
    """The transformers configuration of a student.

    Attention dropout is 0: above it the fused attention kernel is lost, 5 to 7 times the step.
    """
    common: dict[str, Any] = {
        "vocab_size": architecture.vocab_size,
        "hidden_size": architecture.hidden_size,
        "num_hidden_layers": architecture.num_layers,
        "num_attention_heads": architecture.num_heads,
        "intermediate_size": architecture.intermediate_size,
        "type_vocab_size": 1,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": 0.0,
        "bos_token_id": 0,
        "pad_token_id": PAD_ID,
        "eos_token_id": 2,
        "id2label": dict(enumerate(task.labels)),
        "label2id": {label: i for i, label in enumerate(task.labels)},
    }
    if architecture.family == "roberta":
        # RoBERTa numbers positions from pad id + 1, hence two more.
        return RobertaConfig(max_position_embeddings=architecture.max_length + 2, **common)
    return AlbertConfig(
        max_position_embeddings=architecture.max_length,
        embedding_size=architecture.embedding_size,
        num_hidden_groups=architecture.num_layers // architecture.shared_layers,
        hidden_act="gelu",
        classifier_dropout_prob=dropout,
        **common,
    )


def build_student(
    architecture: Architecture,
    task: Task,
    tokenizer_json: str,
    seed: int,
    fresh: FreshStudent = FreshStudent(),  # noqa: B008  # frozen
) -> Classifier:
    """A freshly initialised student: sequence classification, siamese for pairs, or an encoder."""
    tokenizer = CodeTokenizer(tokenizer_json, architecture.max_length, task.normalisation)
    if tokenizer.pad_id != PAD_ID:
        raise ModelError(f"tokenizer: <pad> has id {tokenizer.pad_id}, RoBERTa needs {PAD_ID}")
    if task.kind != "pair" and fresh.pair_head != "difference":
        raise OptionError(f"pair_head is for pairs; leave it out of this {task.kind} task")
    config = student_config(architecture, task, fresh.dropout)
    torch.manual_seed(seed)
    if task.kind == "single":
        core = AutoModelForSequenceClassification.from_config(config)
        labels = NgramBag(fresh.ngrams, len(task.labels) - 1) if fresh.ngrams else None
        text = SiameseText(tokenizer, pairs=False)
        return Classifier(SequenceModel(core, labels), text, task, architecture.max_length)
    bag = _trait_bag(architecture, task, fresh) if fresh.ngrams else None
    encoder = AutoModel.from_config(config, add_pooling_layer=False)
    if task.kind == "embedding":
        text = SiameseText(tokenizer, pairs=False)
        return Classifier(EmbeddingModel(encoder, "mean"), text, task, architecture.max_length)
    head = PAIR_HEADS[fresh.pair_head](architecture.hidden_size, len(task.labels))
    siamese = SiameseModel(encoder, head, bag)
    return Classifier(siamese, SiameseText(tokenizer, pairs=True), task, architecture.max_length)


def _trait_bag(architecture: Architecture, task: Task, fresh: FreshStudent) -> TraitBag:
    """The n-grams of a pair model; OptionError where they have no place."""
    if task.kind != "pair":
        raise OptionError(f"ngrams are for labels; leave them out of this {task.kind} task")
    if fresh.pair_head != SharedHead.kind:
        raise OptionError("ngrams of pairs tell traits: choose the pair head shared")
    if architecture.hidden_size <= SharedHead.TRAITS:
        raise OptionError(
            f"ngrams take {SharedHead.TRAITS} of an embedding's numbers, and it has "
            f"{architecture.hidden_size}; take a wider student"
        )
    return TraitBag(fresh.ngrams, SharedHead.TRAITS, "presence")
