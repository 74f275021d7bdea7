"""Read the students of the Compressor replication package as classifiers of this toolchain.

Source: Shi, Yang, Xu, Kang, Lo, "Compressing Pre-trained Models of Code into 3 MB" (ASE 2022).
A folder holds `model.bin`, a torch state dict, and `tokenizer.json`. Vulnerability: the keys
`encoder.*` of a `RobertaForSequenceClassification`, whose column 0 means vulnerable. Clones: the
keys `encoder.*` of a `RobertaModel`, and `classifier.dense` and `classifier.out_proj` over the
two first tokens side by side; its pooler is never read; column 1 means clone. The number of
heads is in neither.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import RobertaForSequenceClassification, RobertaModel

from codewren_distill.classifier import Classifier
from codewren_distill.models import SequenceModel, SiameseModel
from codewren_distill.pair_heads import ConcatHead
from codewren_distill.student import student_config
from codewren_distill.text_side import SiameseText
from codewren_runtime.errors import ModelError
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Architecture, Task, TaskKind

__all__ = ["Published", "read_published"]

WEIGHTS, TOKENIZER = "model.bin", "tokenizer.json"
MAX_LENGTH = 400
EPSILON = 1e-5  # CodeBERT's
LABELS: Mapping[TaskKind, tuple[str, str]] = {
    "single": ("safe", "vulnerable"),
    "pair": ("different", "clone"),
}
COLUMNS: Mapping[TaskKind, list[int]] = {"single": [1, 0], "pair": [0, 1]}

State = dict[str, Tensor]


@dataclass(frozen=True)
class Published:
    """A checkpoint's classifier, its shape, and the files that it came from."""

    classifier: Classifier
    architecture: Architecture
    files: tuple[Path, ...]


def read_published(folder: Path, name: str, heads: int) -> Published:
    """The checkpoint in `folder` as a classifier for a task called `name`, with `heads` heads.

    Raises ModelError in one line if the folder holds no such checkpoint, OptionError if its
    hidden size is not divisible by `heads`.
    """
    state = _read_state(folder / WEIGHTS)
    whole = any(key.startswith("encoder.roberta.") for key in state)
    kind: TaskKind = "single" if whole else "pair"
    core = {
        key.removeprefix("encoder."): value
        for key, value in state.items()
        if key.startswith("encoder.") and not key.startswith("encoder.pooler.")
    }
    task = Task(name, kind, LABELS[kind], "published")
    try:
        architecture = _architecture(core, heads)
        model = _model(task, architecture, core, state)
    except (KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"{folder / WEIGHTS}: not a student of the replication package ({reason})"
        ) from error
    tokenizer = CodeTokenizer(_tokenizer_json(folder), MAX_LENGTH, task.normalisation)
    text = SiameseText(tokenizer, pairs=kind == "pair")
    classifier = Classifier(model, text, task, MAX_LENGTH)
    return Published(classifier, architecture, (folder / WEIGHTS, folder / TOKENIZER))


def _tokenizer_json(folder: Path) -> str:
    """The published tokenizer as byte-level BPE and nothing else.

    It lowers the text, which the published normalisation has done already, and trims offsets,
    which nobody asks for.
    """
    path = folder / TOKENIZER
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        data |= {"normalizer": None, "post_processor": None}
        return str(Tokenizer.from_str(json.dumps(data)).to_str())
    except Exception as error:  # tokenizers raises bare Exception
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: cannot be read as a tokenizer ({reason})") from error


def _read_state(path: Path) -> State:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(
            f"{path}: no such file; give a folder with {WEIGHTS} and {TOKENIZER}"
        ) from error
    except Exception as error:  # torch has many kinds for what it will not read
        raise ModelError(f"{path}: not a torch state dict that is safe to read") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ModelError(f"{path}: not a torch state dict")
    # Older transformers kept the position numbers as a buffer.
    return {key: value for key, value in state.items() if not key.endswith(".position_ids")}


def _architecture(core: State, heads: int) -> Architecture:
    (words,) = (v for k, v in core.items() if k.endswith("embeddings.word_embeddings.weight"))
    (wide,) = (v for k, v in core.items() if k.endswith("layer.0.intermediate.dense.bias"))
    layers = sum(key.endswith("intermediate.dense.bias") for key in core)
    vocab_size, hidden_size = words.shape
    return Architecture(vocab_size, hidden_size, layers, heads, len(wide), MAX_LENGTH)


def _model(
    task: Task, architecture: Architecture, core: State, state: State
) -> SequenceModel | SiameseModel:
    config = student_config(architecture, task)
    config.layer_norm_eps = EPSILON
    (positions,) = (v for k, v in core.items() if k.endswith("position_embeddings.weight"))
    config.max_position_embeddings = len(positions)
    columns = COLUMNS[task.kind]
    if task.kind == "single":
        for end in ("weight", "bias"):
            out = f"classifier.out_proj.{end}"
            core[out] = core[out][columns]
        return SequenceModel(_filled(RobertaForSequenceClassification(config), core))
    head = ConcatHead(architecture.hidden_size, len(task.labels))
    parts = {
        f"{ours}.{end}": state[f"classifier.{theirs}.{end}"]
        for ours, theirs in (("dense", "dense"), ("out", "out_proj"))
        for end in ("weight", "bias")
    }
    parts |= {f"out.{end}": parts[f"out.{end}"][columns] for end in ("weight", "bias")}
    _filled(head, parts)
    return SiameseModel(_filled(RobertaModel(config, add_pooling_layer=False), core), head)


def _filled(model: nn.Module, state: State) -> nn.Module:
    model.load_state_dict(state)
    return model.eval()
