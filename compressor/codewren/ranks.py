"""Several processes of one training, as torchrun and `accelerate launch` start them.

The first works in the run directory, and it alone. Every other works in a copy, which goes when it
ends: all read the same, compute the same, and share gradients (`codewren_distill.training`), and
what the others write is of no use to anyone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codewren_runtime.errors import OptionError

__all__ = ["is_first", "refuse_several", "several", "taking_part"]


def is_first() -> bool:
    """Whether this process speaks for all: it is the only one, or the first."""
    return _number("RANK", 0) == 0


def several() -> bool:
    """Whether this process is one of several."""
    return _number("WORLD_SIZE", 1) > 1


def refuse_several(what: str) -> None:
    """OptionError if this process is one of several."""
    if several():
        raise OptionError(
            f"{what} works in one process; start it without torchrun or accelerate launch"
        )


@contextmanager
def taking_part(folder: Path) -> Iterator[Path]:
    """The folder to work in: the run directory, or another process's copy of it.

    Waits until every process has its own, before the first changes anything.
    """
    if is_first():
        _wait_for_all()
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="codewren-rank-") as name:
        copy = Path(name) / "run"
        if folder.is_dir():
            shutil.copytree(folder, copy)
        _wait_for_all()
        yield copy


def _wait_for_all() -> None:
    if several():
        from accelerate import PartialState

        from codewren_distill.devices import only_cpus

        PartialState(cpu=only_cpus()).wait_for_everyone()


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default
