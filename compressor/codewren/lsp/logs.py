"""The server's log: stdout belongs to the protocol, and few editors show stderr."""

from __future__ import annotations

import logging
from pathlib import Path

from codewren_runtime.errors import OptionError

__all__ = ["complain_in_lines", "log_to"]


class _OneLine(logging.Formatter):
    """What went wrong and of which kind; no traceback, which helps no user."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[0] if record.exc_info else None
        kind = "" if error is None else f" ({error.__name__})"
        return f"compress: {' '.join(record.getMessage().split())}{kind}"


def complain_in_lines() -> None:
    """Let what pygls complains of come to stderr in one line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.getLogger("pygls").addHandler(handler)


def log_to(path: Path) -> None:
    """Append the server's doings to a file, and what pygls complains of; never the code itself.

    Raises OptionError if the file cannot be written.
    """
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OptionError(
            f"{path}: cannot write there ({error.strerror}); choose another file"
        ) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name, level in (("codewren.lsp", logging.INFO), ("pygls", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
