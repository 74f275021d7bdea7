"""What the machine at hand computes best in."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["precision"]


def precision() -> Literal["bf16", "no"]:
    """bf16 where the hardware multiplies in it (GPU, AMX, AVX-512 BF16), else fp32.

    Emulated bf16 on an older CPU is slower than fp32.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "no"
    if torch.backends.mps.is_available():
        return "no"
    native = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16" if native else "no"
