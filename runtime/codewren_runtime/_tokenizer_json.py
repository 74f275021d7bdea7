"""Show that a tokenizer.json is the byte-level BPE that training makes, and nothing else.

The tokenizers library would also follow patterns, templates and other normalisers from the
file: ways to spend unbounded time, or to read a text otherwise than training did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codewren_runtime._strict_json import read_object
from codewren_runtime.errors import BundleError

__all__ = ["check_tokenizer"]

MAX_ADDED_TOKENS = 100
MAX_TOKEN_CHARACTERS = 1_000

Check = Callable[[Any], bool]


def check_tokenizer(name: str, data: bytes, vocab_size: int) -> None:
    """Raise BundleError unless `data` is such a file with ids below `vocab_size`."""
    value = read_object(name, data)
    _check(name, value, PARTS)
    model = value["model"]
    _check(f"{name}: model", model, MODEL)
    vocabulary, merges = model["vocab"], model["merges"]
    if len(vocabulary) > vocab_size or len(merges) > vocab_size:
        raise BundleError(
            f"{name} has {len(vocabulary):,} tokens and {len(merges):,} merges, the model "
            f"{vocab_size:,} tokens: export it again"
        )
    added = [token.get("id") for token in value["added_tokens"]]
    for token_id in (*vocabulary.values(), *added):
        if type(token_id) is not int or not 0 <= token_id < vocab_size:
            raise BundleError(
                f"{name} has a token with the id {token_id!r:.40}, the model {vocab_size:,} "
                "tokens: export it again"
            )
    if any(len(token) > MAX_TOKEN_CHARACTERS for token in vocabulary):
        raise BundleError(f"{name} has a token of over {MAX_TOKEN_CHARACTERS:,} characters")


def _is_byte_level(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "ByteLevel"


def _is_plain(value: Any) -> bool:
    """As training writes it: a ByteLevel that splits words by its own pattern."""
    return _is_byte_level(value) and value.get("use_regex") is True and len(value) <= 4


def _is_added(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_ADDED_TOKENS
        and all(isinstance(token, dict) and token.get("special") is True for token in value)
    )


def _is_roberta(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and value.get("type") == "RobertaProcessing")


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_off(value: Any) -> bool:
    return value is None or value is False


PARTS: dict[str, Check] = {
    "version": lambda value: value == "1.0",
    "truncation": _is_off,
    "padding": _is_off,
    "added_tokens": _is_added,
    "normalizer": _is_off,
    "pre_tokenizer": _is_plain,
    "post_processor": _is_roberta,
    "decoder": lambda value: value is None or _is_byte_level(value),
    "model": _is_dict,
}
MODEL: dict[str, Check] = {
    "type": lambda value: value == "BPE",
    "dropout": _is_off,  # would answer at random
    "unk_token": lambda value: value is None or isinstance(value, str),
    "continuing_subword_prefix": _is_off,
    "end_of_word_suffix": _is_off,
    "fuse_unk": _is_off,
    "byte_fallback": _is_off,
    "ignore_merges": _is_off,
    "vocab": _is_dict,
    "merges": _is_list,
}


def _check(name: str, value: dict[str, Any], parts: dict[str, Check]) -> None:
    for key in parts.keys() | value.keys():
        if key not in parts:
            raise BundleError(f"{name} has an unknown part {key[:80]!r}: export it again")
        if key not in value:
            raise BundleError(f"{name} lacks {key!r}: export it again")
        if not parts[key](value[key]):
            raise BundleError(
                f"{name}: {key!r} is not that of byte-level BPE, which alone is known: "
                "export it again"
            )
