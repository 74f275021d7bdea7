"""Teachers, soft labels, student module, losses and training."""

from __future__ import annotations

from importlib.util import find_spec

from codewren_runtime.errors import MissingExtraError

for _name in ("torch", "transformers", "accelerate", "safetensors"):
    if find_spec(_name) is None:
        raise MissingExtraError("distill", _name)
