"""Keep other people's chatter off the user's terminal while a model is exported.

torch warns that a trace fixes Python values (right for these models, the gates prove it) and
that the exporter in use is the old one (the new one's graphs do not fuse); optimum and
onnxruntime's tools log what is no news to a user.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

from torch.jit._trace import TracerWarning

__all__ = ["quiet"]

CHATTY = ("onnxruntime", "optimum", "transformers", "root")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the known warnings and log lines; errors still come through."""
    loggers = [logging.getLogger(name) for name in CHATTY]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TracerWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="torch|optimum")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*torch.onnx.*")
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*TorchScript.*")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
