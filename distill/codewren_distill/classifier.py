"""A classifier is a model, its text side and its task, in a folder that transformers can load.

So is a model of embeddings, which classifies nothing.

config.json, model.safetensors    the model or, for siamese pairs and embeddings, the encoder alone
pair_head.safetensors             siamese pairs only
ngrams.safetensors                a student's linear model of n-grams, if it has one
text_head.safetensors             encoders that have no classification head of their own
tokenizer.json, …                 the tokenizer
classifier.json                   task, max_length, whose tokenizer, pair head, pooling, language of
                                  the data flow; written last
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from codewren_distill.checkpoints import (
    load_encoder,
    load_model,
    load_tokenizer,
    save_pretrained,
)
from codewren_distill.data_flow import DataFlowText, GraphModel
from codewren_distill.models import EmbeddingModel, PooledModel, SequenceModel, SiameseModel
from codewren_distill.ngrams import Counting, NgramBag, TraitBag
from codewren_distill.pair_heads import PAIR_HEADS, Pooling
from codewren_distill.tensors import writing
from codewren_distill.text_side import CrossText, SiameseText, TransformersTokenizer
from codewren_runtime.errors import ModelError
from codewren_runtime.files import read_json, write_bytes, write_json
from codewren_runtime.tokenizer import BOS, EOS, MASK, PAD, UNK, CodeTokenizer
from codewren_runtime.types import Task

__all__ = [
    "CARD",
    "Classifier",
    "as_transformers",
    "load_classifier",
    "save_classifier",
    "save_tokenizer",
]

CARD = "classifier.json"
HEAD = "pair_head.safetensors"
NGRAMS = "ngrams.safetensors"
TEXT_HEAD = "text_head.safetensors"

TextSide = SiameseText | CrossText | DataFlowText
Bag = TypeVar("Bag", bound=NgramBag)


@dataclass
class Classifier:
    """A model with its text side and its task; `name` is where it was read."""

    model: SequenceModel | SiameseModel | EmbeddingModel
    text: TextSide
    task: Task
    max_length: int
    name: str = "the model"

    def __post_init__(self) -> None:
        tokenizer = self.text.tokenizer
        if isinstance(tokenizer, TransformersTokenizer):
            tokenizer.embedded = len(self.core.get_input_embeddings().weight)
            tokenizer.known([tokenizer.pad_id])

    @property
    def core(self) -> Any:
        """The transformers model inside: the whole, or the encoder where that is all it gives."""
        model = self.model
        return model.model if isinstance(model, SequenceModel) else model.encoder

    @property
    def ngrams(self) -> NgramBag | None:
        """The n-grams beside the encoder, if there are any."""
        return None if isinstance(self.model, EmbeddingModel) else self.model.ngrams

    @property
    def parameters(self) -> int:
        """Number of parameters, the pair head included."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Write the folder described above; `classifier.json` comes last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD).unlink(missing_ok=True)
        save_pretrained(classifier.core, folder)
        with writing(folder):
            if isinstance(classifier.model, SiameseModel):
                _save_head(classifier.model.head, folder / HEAD)
            elif isinstance(classifier.model, PooledModel):
                _save_head(classifier.model.head, folder / TEXT_HEAD)
            if (ngrams := classifier.ngrams) is not None:
                _save_head(ngrams, folder / NGRAMS)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror or error})") from error
    save_tokenizer(classifier.text.tokenizer, folder)
    write_json(
        folder / CARD,
        {
            "task": classifier.task.to_json(),
            "max_length": classifier.max_length,
            "tokenizer": _tokenizer_kind(classifier),
            **_pair_head_kind(classifier),
            **_pooling_of(classifier),
            **_counting_of(classifier),
            **_data_flow_of(classifier),
        },
    )


def _save_head(head: nn.Module, path: Path) -> None:
    save_file({k: v.detach().cpu().contiguous() for k, v in head.state_dict().items()}, path)


def load_classifier(folder: Path, *, attention: Literal["sdpa", "eager"] = "sdpa") -> Classifier:
    """Read a folder that `save_classifier` wrote; raises ModelError in one line if it cannot."""
    classifier = _read_classifier(folder, attention)
    classifier.name = str(folder)
    return classifier


def _read_classifier(folder: Path, attention: str) -> Classifier:
    if not (folder / CARD).is_file():
        raise ModelError(
            f"{folder}: no {CARD} there; is this a folder made by finetune or distill?"
        )
    card = read_json(folder / CARD)
    if not isinstance(card.get("task"), dict) or not isinstance(card.get("max_length"), int):
        raise ModelError(f"{folder / CARD}: damaged; make the folder again")
    task, max_length = Task.from_json(card["task"]), card["max_length"]
    if card.get("tokenizer") == "codewren":
        tokenizer: CodeTokenizer | TransformersTokenizer = CodeTokenizer.from_file(
            folder / "tokenizer.json", max_length, task.normalisation
        )
    else:
        tokenizer = load_tokenizer(str(folder), max_length)
    # The default of transformers is sdpa where the architecture has it.
    options: dict[str, str] = {} if attention == "sdpa" else {"attn_implementation": attention}
    if task.kind == "pair" and (folder / HEAD).is_file():
        kind = card.get("pair_head", "difference")
        if kind not in PAIR_HEADS:
            raise ModelError(f"{folder / CARD}: pair head {kind!r} is unknown; make it again")
        siamese = _load_siamese(folder, kind, options, card)
        return Classifier(siamese, SiameseText(tokenizer, pairs=True), task, max_length)
    if task.kind == "embedding":
        if card.get("pooling") not in get_args(Pooling):
            raise ModelError(f"{folder / CARD}: pooling is missing; make the folder again")
        embedding = EmbeddingModel(_load_encoder(folder, options), card["pooling"])
        return Classifier(embedding, SiameseText(tokenizer, pairs=False), task, max_length)
    if (folder / TEXT_HEAD).is_file():
        model: SequenceModel = _load_pooled(folder, task)
    else:
        core, _ = load_model(AutoModelForSequenceClassification, str(folder), **options)
        if "data_flow" in card and isinstance(tokenizer, TransformersTokenizer):
            text = DataFlowText(tokenizer, card["data_flow"])
            return Classifier(GraphModel(core), text, task, max_length)
        model = SequenceModel(core, _load_ngrams(folder, NgramBag, card))
    return Classifier(model, text_side(task, tokenizer, model.model.config), task, max_length)


def text_side(
    task: Task, tokenizer: CodeTokenizer | TransformersTokenizer, config: Any
) -> TextSide:
    """The text side of a `SequenceModel` of that configuration: cross-encoding for pairs."""
    if task.kind == "single":
        return SiameseText(tokenizer, pairs=False)
    if isinstance(tokenizer, TransformersTokenizer):
        return CrossText(tokenizer, token_types=getattr(config, "type_vocab_size", 0) > 1)
    raise ModelError("a pair model with a tokenizer of its own needs its pair_head.safetensors")


def _load_encoder(folder: Path, options: dict[str, str]) -> Any:
    try:
        return load_encoder(str(folder), add_pooling_layer=False, **options)
    except ModelError:  # architectures without a pooler take no such option
        return load_encoder(str(folder), **options)


def _load_siamese(
    folder: Path, kind: str, options: dict[str, str], card: dict[str, Any]
) -> SiameseModel:
    encoder = _load_encoder(folder, options)
    with _reading(folder / HEAD):
        head = PAIR_HEADS[kind].from_state(load_file(folder / HEAD))
    ngrams = _load_ngrams(folder, TraitBag, card)
    return SiameseModel(encoder, head, ngrams)


def _load_pooled(folder: Path, task: Task) -> PooledModel:
    encoder = load_encoder(str(folder))
    model = PooledModel(encoder, int(encoder.config.hidden_size), len(task.labels))
    with _reading(folder / TEXT_HEAD):
        model.head.load_state_dict(load_file(folder / TEXT_HEAD))
    return model


def _load_ngrams(folder: Path, kind: type[Bag], card: dict[str, Any]) -> Bag | None:
    if not (folder / NGRAMS).is_file():
        return None
    counting: Any = card.get("counting")
    if counting not in get_args(Counting):
        raise ModelError(f"{folder / CARD}: counting is missing; make the folder again")
    with _reading(folder / NGRAMS):
        state = load_file(folder / NGRAMS)
        buckets, columns = state["table"].shape
        bag = kind(buckets, columns, counting)
        bag.load_state_dict(state)
    return bag


@contextlib.contextmanager
def _reading(head: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise ModelError(f"{head}: damaged ({error}); make the folder again") from error


def _pair_head_kind(classifier: Classifier) -> dict[str, str]:
    model = classifier.model
    return {"pair_head": model.head.kind} if isinstance(model, SiameseModel) else {}


def _counting_of(classifier: Classifier) -> dict[str, str]:
    return {} if classifier.ngrams is None else {"counting": classifier.ngrams.counting}


def _pooling_of(classifier: Classifier) -> dict[str, str]:
    model = classifier.model
    return {"pooling": model.pooling} if isinstance(model, EmbeddingModel) else {}


def _data_flow_of(classifier: Classifier) -> dict[str, str]:
    text = classifier.text
    return {"data_flow": text.language} if isinstance(text, DataFlowText) else {}


def _tokenizer_kind(classifier: Classifier) -> str:
    own = isinstance(classifier.text.tokenizer, CodeTokenizer)
    return "codewren" if own else "transformers"


def as_transformers(tokenizer: CodeTokenizer) -> PreTrainedTokenizerFast:
    """A tokenizer of ours as transformers knows it, with the names of its special tokens."""
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer.to_json()),
        bos_token=BOS, cls_token=BOS, eos_token=EOS, sep_token=EOS,
        pad_token=PAD, unk_token=UNK, mask_token=MASK,
        model_max_length=tokenizer.max_length,
    )  # fmt: skip


def save_tokenizer(tokenizer: CodeTokenizer | TransformersTokenizer, folder: Path) -> None:
    """Write `tokenizer.json` and what transformers wants beside it."""
    if isinstance(tokenizer, TransformersTokenizer):
        tokenizer.tokenizer.save_pretrained(folder)
        return
    as_transformers(tokenizer).save_pretrained(folder)
    # transformers rewrites the file; ours is what the runtime ships, byte for byte.
    write_bytes(folder / "tokenizer.json", tokenizer.to_json().encode())
