"""A classifier is a model, its text side and its task, in a folder that transformers can load.

config.json, model.safetensors    the model or, for siamese pairs, the encoder alone
pair_head.safetensors             siamese pairs only
tokenizer.json, …                 the tokenizer
classifier.json                   task, max_length, whose tokenizer, pair head; written last
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from codewren_distill.models import PAIR_HEADS, SequenceModel, SiameseModel
from codewren_distill.tensors import writing
from codewren_distill.text_side import CrossText, SiameseText, TransformersTokenizer
from codewren_runtime.errors import ModelError
from codewren_runtime.files import read_json, write_bytes, write_json
from codewren_runtime.tokenizer import BOS, EOS, MASK, PAD, UNK, CodeTokenizer
from codewren_runtime.types import Task

__all__ = ["CARD", "Classifier", "load_classifier", "save_classifier"]

CARD = "classifier.json"
HEAD = "pair_head.safetensors"

TextSide = SiameseText | CrossText


@dataclass
class Classifier:
    """A model with its text side and its task."""

    model: SequenceModel | SiameseModel
    text: TextSide
    task: Task
    max_length: int

    @property
    def core(self) -> Any:
        """The transformers model inside: the encoder of a siamese model, else the whole."""
        return self.model.encoder if isinstance(self.model, SiameseModel) else self.model.model

    @property
    def parameters(self) -> int:
        """Number of parameters, the pair head included."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Write the folder described above; `classifier.json` comes last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CARD).unlink(missing_ok=True)
        with writing(folder):
            classifier.core.save_pretrained(folder)
            if isinstance(classifier.model, SiameseModel):
                head = classifier.model.head.state_dict()
                whole = {k: v.detach().cpu().contiguous() for k, v in head.items()}
                save_file(whole, folder / HEAD)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written ({error.strerror or error})") from error
    _save_tokenizer(classifier, folder)
    write_json(
        folder / CARD,
        {
            "task": classifier.task.to_json(),
            "max_length": classifier.max_length,
            "tokenizer": _tokenizer_kind(classifier),
            **_pair_head_kind(classifier),
        },
    )


def load_classifier(folder: Path, *, attention: Literal["sdpa", "eager"] = "sdpa") -> Classifier:
    """Read a folder that `save_classifier` wrote; raises ModelError in one line if it cannot."""
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
    if task.kind == "pair" and (folder / HEAD).is_file():
        kind = card.get("pair_head", "difference")
        if kind not in PAIR_HEADS:
            raise ModelError(f"{folder / CARD}: pair head {kind!r} is unknown; make it again")
        siamese = _load_siamese(folder, kind, attention)
        return Classifier(siamese, SiameseText(tokenizer, pairs=True), task, max_length)
    core = load_pretrained(
        AutoModelForSequenceClassification, str(folder), attn_implementation=attention
    )
    return Classifier(SequenceModel(core), text_side(task, tokenizer), task, max_length)


def text_side(task: Task, tokenizer: CodeTokenizer | TransformersTokenizer) -> TextSide:
    """The text side of a `SequenceModel`: cross-encoding for pairs."""
    if task.kind == "single":
        return SiameseText(tokenizer, pairs=False)
    if isinstance(tokenizer, TransformersTokenizer):
        return CrossText(tokenizer)
    raise ModelError("a pair model with a tokenizer of its own needs its pair_head.safetensors")


def load_pretrained(kind: Any, name: str, **options: Any) -> Any:
    """`kind.from_pretrained`, safe formats only, no remote code; ModelError in one line."""
    try:
        return kind.from_pretrained(name, trust_remote_code=False, **options)
    except Exception as error:  # a damaged folder fails in as many ways as transformers has
        first_line = (
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        )
        raise ModelError(
            f"{name}: not a model that transformers can load here ({first_line[:200]}); give a "
            "folder with config.json and model.safetensors, or a hub name if a hub is reachable"
        ) from error


def load_tokenizer(name: str, max_length: int) -> TransformersTokenizer:
    """A transformers tokenizer; raises ModelError if there is none or it has no pad token."""
    from transformers import AutoTokenizer

    tokenizer = load_pretrained(AutoTokenizer, name)
    if tokenizer.pad_token_id is None:
        raise ModelError(f"{name}: its tokenizer has no pad token; set one and save it again")
    return TransformersTokenizer(tokenizer, max_length)


def _load_siamese(folder: Path, kind: str, attention: str) -> SiameseModel:
    options = {"attn_implementation": attention}
    try:
        encoder = load_pretrained(AutoModel, str(folder), add_pooling_layer=False, **options)
    except ModelError:  # architectures without a pooler take no such option
        encoder = load_pretrained(AutoModel, str(folder), **options)
    try:
        state = load_file(folder / HEAD)
        out = state["out.weight"]
        head = PAIR_HEADS[kind](out.shape[1], out.shape[0])
        head.load_state_dict(state)
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ModelError(f"{folder / HEAD}: damaged ({error})") from error
    return SiameseModel(encoder, head)


def _pair_head_kind(classifier: Classifier) -> dict[str, str]:
    model = classifier.model
    return {"pair_head": model.head.kind} if isinstance(model, SiameseModel) else {}


def _tokenizer_kind(classifier: Classifier) -> str:
    own = isinstance(classifier.text.tokenizer, CodeTokenizer)
    return "codewren" if own else "transformers"


def _save_tokenizer(classifier: Classifier, folder: Path) -> None:
    tokenizer = classifier.text.tokenizer
    if isinstance(tokenizer, TransformersTokenizer):
        tokenizer.tokenizer.save_pretrained(folder)
        return
    write_bytes(folder / "tokenizer.json", tokenizer.to_json().encode())
    fast = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        bos_token=BOS, cls_token=BOS, eos_token=EOS, sep_token=EOS,
        pad_token=PAD, unk_token=UNK, mask_token=MASK,
        model_max_length=classifier.max_length,
    )  # fmt: skip
    fast.save_pretrained(folder)
    # transformers rewrites the file; ours is what the runtime ships, byte for byte.
    write_bytes(folder / "tokenizer.json", tokenizer.to_json().encode())
