"""Checkpoints as transformers and peft keep them: safe formats only, no code of theirs.

Weights are safetensors, or a .bin of which nothing but tensors is read. A folder with
`adapter_config.json` is an adapter: its base is loaded and the adapter merged into it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, T5EncoderModel
from transformers.utils import logging

from codewren_distill.tensors import writing
from codewren_distill.text_side import TransformersTokenizer
from codewren_runtime.errors import MissingExtraError, ModelError

__all__ = [
    "base_of",
    "is_encoder_decoder",
    "load_config",
    "load_encoder",
    "load_model",
    "load_pretrained",
    "load_tokenizer",
    "save_pretrained",
    "unheard",
]

ADAPTER = "adapter_config.json"
WEIGHTS = (".safetensors", ".bin")
HINT = "folder with config.json and model.safetensors, or a hub name if a hub is reachable"


def load_pretrained(kind: Any, name: str, **options: Any) -> Any:
    """`kind.from_pretrained` without remote code; ModelError in one line."""
    # What comes from a hub takes minutes, and its bars are worth seeing.
    quiet = _without_bars() if Path(name).is_dir() else contextlib.nullcontext()
    try:
        with quiet:
            return kind.from_pretrained(name, trust_remote_code=False, **options)
    except Exception as error:  # a damaged folder fails in as many ways as transformers has
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{name}: not a model that transformers can load here ({first_line[:200]}); give a "
            f"{HINT}"
        ) from error


def save_pretrained(model: Any, folder: Path) -> None:
    """Write a transformers model; OptionError in one line where the system refuses."""
    with writing(folder), _without_bars():
        model.save_pretrained(folder)


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Keep back the bars that transformers 5 draws of the weights of every file."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """Silence what transformers says of weights that are missing, where the caller refuses them."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def base_of(name: str) -> str | None:
    """The checkpoint that an adapter's folder adapts; None where there is no adapter."""
    path = Path(name) / ADAPTER
    if not path.is_file():
        return None
    try:
        base = json.loads(path.read_bytes())["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path}: damaged; it names no base_model_name_or_path") from error
    if not isinstance(base, str) or not base:
        raise ModelError(f"{path}: names no base model; write it to base_model_name_or_path")
    beside = Path(name) / base
    found = str(beside) if beside.is_dir() else base
    if (Path(found) / ADAPTER).is_file():
        raise ModelError(
            f"{path}: its base {base} is an adapter too; merge that, and name the whole"
        )
    return found


def load_config(name: str) -> Any:
    """The configuration of a checkpoint, or of an adapter's base."""
    return load_pretrained(AutoConfig, base_of(name) or name)


def load_model(kind: Any, name: str, **options: Any) -> tuple[Any, set[str]]:
    """A model of `kind` in fp32, with the names of the weights that its checkpoint lacks.

    Of a half-precision checkpoint too, which transformers 5 would leave as it is: an optimizer's
    small steps are lost in half precision.
    """
    base = base_of(name)
    options = {"weights_only": True, "output_loading_info": True, "dtype": torch.float32, **options}
    model, info = load_pretrained(kind, base or name, **options)
    missing = set(info["missing_keys"])
    return (model, missing) if base is None else _merged(model, name, missing)


def load_encoder(name: str, **options: Any) -> Any:
    """The encoder alone, without a head; of an encoder-decoder its encoder."""
    if is_encoder_decoder(name):
        return load_model(T5EncoderModel, name, **options)[0]
    return load_model(AutoModel, name, **options)[0]


def is_encoder_decoder(name: str) -> bool:
    """Whether it is a T5, of which we read the encoder; ModelError for others with a decoder.

    transformers' own head for T5 runs the decoder too and wants one end token in every text.
    """
    config = load_config(name)
    if config.model_type == "t5":
        return True
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{name}: is a {config.model_type}, an encoder and a decoder; of these only t5 can be "
            "read, give an encoder"
        )
    return False


def load_tokenizer(name: str, max_length: int) -> TransformersTokenizer:
    """A transformers tokenizer; an adapter's may be its base's.

    Without a pad token it pads with its end or its unknown token: padding is masked, so that
    which token it is does not matter. Raises ModelError if there is none of these.
    """
    from transformers import AutoTokenizer

    base, own = base_of(name), (Path(name) / "tokenizer_config.json").is_file()
    tokenizer = load_pretrained(AutoTokenizer, name if own or base is None else base)
    if tokenizer.pad_token_id is None:
        stand_in = tokenizer.eos_token or tokenizer.sep_token or tokenizer.unk_token
        if stand_in is None:
            raise ModelError(
                f"{name}: its tokenizer has no pad token, nor an end or unknown token to pad "
                "with; set pad_token in tokenizer_config.json"
            )
        tokenizer.pad_token = stand_in
    return TransformersTokenizer(tokenizer, max_length)


def _merged(model: Any, name: str, missing: set[str]) -> tuple[Any, set[str]]:
    if not any((Path(name) / f"adapter_model{kind}").is_file() for kind in WEIGHTS):
        raise ModelError(f"{name}: an adapter without adapter_model.safetensors; copy it there")
    if find_spec("peft") is None:
        raise MissingExtraError("peft", "peft, which merges the adapter of " + name)
    from peft import PeftModel

    try:
        # As a whole path: `owner/name` without weights would be looked for on a hub.
        adapted = PeftModel.from_pretrained(model, str(Path(name).resolve()))
        merged = adapted.merge_and_unload()
    except Exception as error:  # a damaged folder fails in as many ways as peft has
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{name}: an adapter that does not fit its base ({first_line[:200]}); give the base "
            "that it was made for, or merge it and give the merged model"
        ) from error
    merged.requires_grad_(requires_grad=True)  # peft froze all but the adapter
    saved = adapted.peft_config["default"].modules_to_save or ()
    return merged, {key for key in missing if not set(saved) & set(key.split("."))}
