"""What the machine at hand computes best in."""

from __future__ import annotations

import os
from typing import Literal

import torch

__all__ = ["fastest", "only_cpus", "precision", "several_processes"]


def fastest() -> torch.device:
    """Where answers are computed unless told otherwise: the GPU, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def precision() -> Literal["bf16", "no"]:
    """bf16 where the hardware multiplies in it (GPU, AMX, AVX-512 BF16), else fp32.

    Emulated bf16 on an older CPU or GPU is slower than fp32.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    if torch.backends.mps.is_available():
        return "no"
    native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16" if native else "no"


def only_cpus() -> bool:
    """Whether this is one of several processes that have no GPU: accelerate wants to be told."""
    return several_processes() and not torch.accelerator.is_available()


def several_processes() -> bool:
    """Whether torchrun or `accelerate launch` started more than this process."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1
