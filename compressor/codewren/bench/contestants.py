"""What takes part: text in, answer out, as an embedder would call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codewren.bench.timing import Predict
from codewren_runtime import Model, load
from codewren_runtime.errors import MissingExtraError

__all__ = ["Contestant", "in_torch", "of_bundle", "of_checkpoint", "of_model"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A way from a text to an answer, and the bytes of the model behind it.

    `does` says what one call is: a prediction, or the embedding of one text of a pair.
    """

    name: str
    predict: Predict
    model_bytes: int
    does: str = "prediction"


def of_bundle(path: Path) -> Contestant:
    """A bundle on the runtime; of a pair model one text is embedded."""
    return of_model(path.name, load(path))


def of_model(name: str, model: Model) -> Contestant:
    """The same for a model that is open."""
    if model.task.kind == "single":
        return Contestant(name, model.predict, model.size_bytes)
    return Contestant(name, model.embed, model.size_bytes, "embedding")


def of_checkpoint(name: str, max_length: int) -> Contestant:
    """A folder or hub name in transformers and torch: fp32, batch 1, nothing padded.

    Raises ModelError in one line if transformers cannot load it, MissingExtraError without torch.
    """
    try:
        from transformers import AutoModelForSequenceClassification

        from codewren_distill.checkpoints import load_pretrained, load_tokenizer
    except ModuleNotFoundError as error:
        raise MissingExtraError("distill", error.name or "torch") from error
    model = load_pretrained(AutoModelForSequenceClassification, name)
    tokenizer = load_tokenizer(name, max_length)
    return in_torch(f"{Path(name).name}, torch", tokenizer.encode, model)


def in_torch(
    name: str,
    encode: Callable[[str], list[int]],
    model: Any,
    *,
    padded: int | None = None,
    padding_id: int = 1,
) -> Contestant:
    """A transformers classifier on torch, one thread; inputs are padded to `padded` tokens if any.

    Sets torch's threads for the whole process.
    """
    import torch

    torch.set_num_threads(1)
    model = model.eval()

    def predict(text: str) -> object:
        ids = encode(text)
        mask = [1] * len(ids)
        if padded is not None:
            more = padded - len(ids)
            ids, mask = ids + [padding_id] * more, mask + [0] * more
        with torch.inference_mode():
            answer = model(input_ids=torch.tensor([ids]), attention_mask=torch.tensor([mask]))
            return answer.logits.softmax(-1).tolist()

    size = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    return Contestant(name, predict, size)
