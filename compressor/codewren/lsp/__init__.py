"""An editor server: what a bundle says about each function, as diagnostics while one types."""

from __future__ import annotations

from importlib.util import find_spec

from codewren_runtime.errors import MissingExtraError

if find_spec("pygls") is None:
    raise MissingExtraError("lsp", "pygls")

from codewren.lsp.logs import complain_in_lines, log_to
from codewren.lsp.server import CodeServer
from codewren.lsp.settings import Settings

__all__ = ["CodeServer", "Settings", "complain_in_lines", "log_to"]
