"""Training state in one safetensors file: weights, optimizer, position. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from codewren_distill.tensors import writing
from codewren_runtime.files import atomic_path

__all__ = ["Position", "below", "restore", "store"]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a training run stands: optimizer steps done, and the seconds they took."""

    step: int = 0
    seconds: float = 0.0


def store(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    position: Position,
    identity: str,
    more: Mapping[str, Tensor],
) -> None:
    """Write the state atomically; `identity` names the run (a hash of inputs and settings).

    `more` is whatever else the run must remember.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"more.{name}": value for name, value in more.items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
    header = {"position": json.dumps([position.step, position.seconds]), "identity": identity}
    with writing(path), atomic_path(path) as temporary:
        # clone: tied weights share memory, which safetensors refuses
        save_file({k: v.detach().cpu().clone() for k, v in tensors.items()}, temporary, header)


def restore(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, identity: str
) -> tuple[Position, dict[str, Tensor]]:
    """Load the state into model and optimizer; the start if there is none of this run.

    Returns with the position what `store` was given as `more`.
    """
    if not path.is_file():
        return Position(), {}
    try:
        with safe_open(path, framework="pt") as stream:
            header = stream.metadata() or {}
            if header.get("identity") != identity:
                return Position(), {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except SafetensorError:  # a damaged state is no state: training starts again
        return Position(), {}
    model.load_state_dict(below("model.", tensors))
    _restore_optimizer(optimizer, below("optimizer.", tensors))
    step, seconds = json.loads(header["position"])
    return Position(step, seconds), below("more.", tensors)


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, by the rest of their names."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
