"""Substitutes from the model's own token embeddings: names made of tokens that lie near."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from codewren.attack.candidates import Source, accepted
from codewren.target import CARD

__all__ = ["from_embeddings"]

NEAREST = 24  # tokens put in the place of one
_PART = re.compile(r"\w+", re.ASCII)
_BOUNDARY = "\u0120"  # how byte-level BPE writes the space before a word


def from_embeddings(path: Path) -> Source:
    """Substitutes for the attacked model at `path`, nearest first.

    For each token of a name, the tokens of greatest cosine that letters can follow, and the name
    with one of them in its place. Raises MissingExtraError without the extra `export`.
    """
    tokenizer, table = _read(path)
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    parts = _parts(tokenizer, len(table))
    found: dict[str, list[str]] = {}

    def near(name: str) -> list[str]:
        if name not in found:
            found[name] = _near(name, tokenizer, unit, parts)
        return found[name]

    return lambda _, code: accepted(code, {name: near(name) for name in code.names})


def _near(
    name: str, tokenizer: Tokenizer, unit: NDArray[np.float32], parts: list[str | None]
) -> list[str]:
    ids: list[int] = tokenizer.encode(name, add_special_tokens=False).ids
    ranked = []
    for place, token in enumerate(ids):
        near = unit @ unit[token]
        for other in np.argsort(-near)[: 4 * NEAREST].tolist():
            part = parts[other]
            if other != token and part is not None:
                words = [parts[i] or "" for i in ids]
                words[place] = part
                ranked.append((-float(near[other]), "".join(words)))
    return [new for _, new in sorted(ranked)[: len(ids) * NEAREST]]


def _parts(tokenizer: Tokenizer, count: int) -> list[str | None]:
    """What each token writes, without the space before it; None for what is no part of a name."""
    texts = (tokenizer.id_to_token(number) or "" for number in range(count))
    bare = (text.removeprefix(_BOUNDARY) for text in texts)
    return [text if _PART.fullmatch(text) else None for text in bare]


def _read(path: Path) -> tuple[Tokenizer, NDArray[np.float32]]:
    """The tokenizer and the embeddings (tokens, width) of a folder or a bundle."""
    if (path / CARD).is_file():
        from codewren_distill.classifier import load_classifier

        weights = load_classifier(path).core.get_input_embeddings().weight
        return Tokenizer.from_file(str(path / "tokenizer.json")), weights.detach().numpy()
    from codewren_runtime import read_bundle
    from codewren_runtime.errors import MissingExtraError

    try:
        from codewren_export.weights import token_embeddings
    except ModuleNotFoundError as error:
        raise MissingExtraError("export", error.name or "onnx") from error
    bundle = read_bundle(path)
    return Tokenizer.from_str(bundle.tokenizer_json), token_embeddings(bundle.model)
