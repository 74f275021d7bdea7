"""Substitutes from a masked language model: what it would write where a name stands."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Any

import torch

from codewren.attack.candidates import Source, accepted
from codewren.rewriting import Code
from codewren_distill.checkpoints import load_model, load_pretrained, unheard
from codewren_runtime.errors import ModelError

__all__ = ["from_masked_model"]

CONTEXT = 500  # characters read before and after a name
EACH = 8  # guesses kept for each token of a name
MOST = 30  # names for one number of tokens


def from_masked_model(path: Path) -> Source:
    """Substitutes by the checkpoint in the folder `path`, likeliest first.

    The first place of a name is masked, as one token and as many as the name has; the guesses
    for each are put together by their probability. Raises ModelError if it is no such model.
    """
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    tokenizer = load_pretrained(AutoTokenizer, str(path))
    with unheard():
        model, missing = load_model(AutoModelForMaskedLM, str(path))
    if missing:
        raise ModelError(
            f"{path}: has no trained head that fills masks ({min(missing)} is missing); give "
            "a masked language model"
        )
    model.eval()
    if tokenizer.mask_token is None:
        raise ModelError(f"{path}: its tokenizer has no mask token; give a masked language model")
    return lambda _, code: accepted(
        code, {name: _guesses(code, name, tokenizer, model) for name in code.names}
    )


def _guesses(code: Code, name: str, tokenizer: Any, model: Any) -> list[str]:
    source, (start, end) = code.text.encode(), code.names[name][0]
    before = source[:start].decode()[-CONTEXT:]
    after = source[end:].decode()[:CONTEXT]
    own = len(tokenizer.tokenize(name))
    ranked = []
    for count in sorted({1, own}):
        ranked += _filled(before, after, count, tokenizer, model)
    return [new for _, new in sorted(ranked, reverse=True)]


@torch.inference_mode()
def _filled(
    before: str, after: str, count: int, tokenizer: Any, model: Any
) -> list[tuple[float, str]]:
    """Mean log probability and text of the likeliest fillings of `count` masks."""
    text = before + tokenizer.mask_token * count + after
    batch = tokenizer(text, return_tensors="pt", truncation=True, max_length=_window(model))
    places = (batch["input_ids"][0] == tokenizer.mask_token_id).nonzero()[:, 0]
    if len(places) != count:  # the window ends before the name
        return []
    scores = model(**batch).logits[0, places].float().log_softmax(-1).topk(EACH)
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    for values, tokens in zip(scores.values.tolist(), scores.indices.tolist(), strict=True):
        longer = (
            (total + value, [*ids, token])
            for total, ids in beams
            for value, token in zip(values, tokens, strict=True)
        )
        beams = heapq.nlargest(MOST, longer)
    return [(total / count, tokenizer.decode(ids).strip()) for total, ids in beams]


def _window(model: Any) -> int:
    """Tokens that the model reads; RoBERTa's positions begin at 2."""
    return int(model.config.max_position_embeddings) - 2
