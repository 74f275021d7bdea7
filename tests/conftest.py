from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from .hand_made import parts_of, tokenizer_json, wren  # noqa: F401 (fixtures for all)

# Before anything imports transformers: no test reaches for a hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# A shell's background job ignores Ctrl-C, and so would every process that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """Real data beside the checkout; tests that want it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: real data sets are not here")
    return SHARED
