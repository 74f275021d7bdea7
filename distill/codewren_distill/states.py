"""What a teacher's layers make of a text: their states, pooled, for a student to learn from.

Teacher and student cut a text into different tokens, so that their states of tokens have nothing
to do with each other; the mean over a text's tokens is of the same text in both.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codewren_distill.classifier import Classifier
from codewren_distill.keyed import load_keyed, save_keyed
from codewren_distill.models import SiameseModel, mean_pool
from codewren_distill.scoring import answering, score_batches
from codewren_distill.soft_labels import example_key
from codewren_distill.text_side import Batch, CrossText, SiameseText
from codewren_runtime.errors import DataError, ModelError, OptionError
from codewren_runtime.types import Example

__all__ = ["Recorder", "TeacherStates", "mapped_layers", "record_states"]

FIRST_TOKEN = 2  # RoBERTa's position of it; data flow has its variables at 0
HALF = np.float16


def mapped_layers(student: int, teacher: int) -> tuple[int, ...]:
    """The teacher's layer for each of the student's, which are numbered from 1.

    Layer i learns from layer round(i · teacher / student), the last from the last; 0 are the
    teacher's embeddings (TinyBERT: Jiao et al. 2020, section 3.1, with the uniform map).
    """
    return tuple((2 * i * teacher + student) // (2 * student) for i in range(1, student + 1))


class Recorder:
    """While entered, keeps what the layers of a transformers model answer to the last batch."""

    def __init__(self, core: Any) -> None:
        self.encoder = core.base_model
        self.depth = int(self.encoder.config.num_hidden_layers)
        self._hidden: Sequence[Tensor] = ()
        self._hooks: list[Any] = []

    def __enter__(self) -> Recorder:
        self._hooks = [
            self.encoder.register_forward_pre_hook(_ask, with_kwargs=True),
            self.encoder.register_forward_hook(self._keep),
        ]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hidden = ()

    def _keep(self, _module: Any, _inputs: Any, output: Any) -> None:
        self._hidden = output.hidden_states

    def pooled(self, batch: Batch, layers: Iterable[int]) -> list[Tensor]:
        """Of each layer the mean over each text's tokens (n, H), fp32; 0 are the embeddings."""
        mask = batch["attention_mask"]
        if mask.ndim == 3:  # who sees whom, in a graph of data flow
            mask = (batch["position_ids"] >= FIRST_TOKEN).long()
        return [mean_pool(self._hidden[layer], mask) for layer in layers]


def _ask(_module: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    return args, kwargs | {"output_hidden_states": True}


@dataclass
class TeacherStates:
    """Pooled states (layers, H) by the key of a text, of a teacher (sha256) `depth` layers deep."""

    teacher: str
    depth: int
    layers: tuple[int, ...]
    states: dict[bytes, NDArray[np.float16]]

    def has(self, texts: Iterable[str]) -> bool:
        """Whether the states of every text are there."""
        return all(_key(text) in self.states for text in texts)

    def table(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """States (texts, layers, H); DataError if those of a text are not there."""
        missing = sum(_key(text) not in self.states for text in texts)
        if missing:
            raise DataError(
                f"the teacher's states are of other texts: {missing} of {len(texts)} have none; "
                "run label --states on this data"
            )
        return np.stack([self.states[_key(text)] for text in texts])

    def save(self, path: Path) -> None:
        """Write atomically: keys (n, 32) uint8 and states (n, layers, H) float16."""
        header = {
            "teacher": self.teacher,
            "depth": json.dumps(self.depth),
            "layers": json.dumps(self.layers),
        }
        save_keyed(path, "states", self.states, header)

    @classmethod
    def load(cls, path: Path) -> TeacherStates:
        """Read what `save` wrote; DataError in one line if it is missing or damaged."""
        header, states = load_keyed(path, "states", "teacher's states", "label --states")
        try:
            depth, layers = int(header["depth"]), tuple(map(int, json.loads(header["layers"])))
            found = cls(header["teacher"], depth, layers, states)
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"{path}: damaged teacher's states ({error}); run label --states --force"
            ) from error
        if any(row.ndim != 2 or len(row) != len(layers) for row in states.values()):
            raise DataError(
                f"{path}: damaged teacher's states (shapes disagree); run label --states --force"
            )
        return found


def record_states(
    teacher: Classifier,
    teacher_hash: str,
    texts: Sequence[str],
    student_depth: int,
    path: Path,
    *,
    checkpoint_seconds: float = 10.0,
    advance: Callable[[int], None] | None = None,
) -> TeacherStates:
    """States of distinct texts, of the layers that a student learns from, kept in `path`.

    What a killed run left there is kept, and the batches are those of an uninterrupted one.
    Raises OptionError for a teacher that reads both texts of a pair at once, and ModelError
    for states that half precision cannot hold.
    """
    if isinstance(teacher.text, CrossText):
        raise OptionError(
            "the teacher reads both texts of a pair together, so that it has no state of either; "
            "leave out --states, or finetune it with --pair-encoding siamese"
        )
    recorder = Recorder(teacher.core)
    layers = tuple(sorted(set(mapped_layers(student_depth, recorder.depth))))
    found = _begun(path, TeacherStates(teacher_hash, recorder.depth, layers, {}))
    pairs = isinstance(teacher.model, SiameseModel)
    side = SiameseText(teacher.text.tokenizer, pairs=False) if pairs else teacher.text
    encoded = [side.encode(Example(text)) for text in texts]
    stored = time.monotonic()
    with answering(teacher.model) as device:
        for rows in score_batches(encoded):
            if not found.has(texts[row] for row in rows):
                batch = side.collate([encoded[row] for row in rows])
                there = {name: value.to(device) for name, value in batch.items()}
                states = _states(teacher, recorder, there, layers)
                found.states.update(zip((_key(texts[row]) for row in rows), states, strict=True))
            if advance is not None:
                advance(len(rows))
            if time.monotonic() - stored >= checkpoint_seconds:
                found.save(path)
                stored = time.monotonic()
    found.save(path)
    return found


@torch.inference_mode()
def _states(
    teacher: Classifier, recorder: Recorder, batch: Batch, layers: Sequence[int]
) -> NDArray[np.float16]:
    with recorder:
        if isinstance(teacher.model, SiameseModel):
            teacher.model.embed(**batch)
        else:
            teacher.model(**batch)
        pooled = torch.stack(recorder.pooled(batch, layers), dim=1)
    states: NDArray[np.float16] = pooled.half().cpu().numpy()
    if not np.isfinite(states).all():
        raise ModelError(
            "the teacher's states are not numbers in half precision; its weights are damaged, or "
            "its layers too loud: leave out --states"
        )
    return states


def _begun(path: Path, empty: TeacherStates) -> TeacherStates:
    if not path.is_file():
        return empty
    try:
        found = TeacherStates.load(path)
    except DataError:  # damaged: nothing to keep, it is made again
        return empty
    same = (found.teacher, found.depth, found.layers) == (empty.teacher, empty.depth, empty.layers)
    return found if same else empty


def _key(text: str) -> bytes:
    return example_key(Example(text))
