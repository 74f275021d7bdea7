"""The command itself: all verbs in the order of a run."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

import typer

from codewren.cli import (
    attack,
    augment,
    bench,
    calibrate,
    demo,
    distill,
    evaluate,
    export,
    finetune,
    import_,
    inspect,
    label,
    lsp,
    package,
    predict,
    pretrain,
    run,
    scan,
    search,
)
from codewren.ranks import is_first
from codewren_runtime.errors import CodewrenError

__all__ = ["app", "main"]

INTERRUPTED, TERMINATED = 130, 143

app = typer.Typer(
    name="compress",
    help="Compress a pre-trained model of code into at most 3 MB, and run it on a laptop's CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

MODULES = (
    demo, run, calibrate, search, pretrain, finetune, augment, label, distill, import_, export,
    evaluate, attack, predict, bench, scan, inspect, package, lsp,
)  # fmt: skip
for module in MODULES:
    verb = module.__name__.rsplit(".", 1)[-1].rstrip("_")
    app.command(verb)(module.command)


def main() -> None:
    """Run the command; what a user can mend becomes one line on stderr and exit status 2."""
    _open_closed_streams()
    _listen()
    if not is_first():  # the answer is the first one's to give
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):  # file names may hold bytes that no encoding has
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except CodewrenError as error:
        _refuse(str(error))
    except OSError as error:  # what the system refuses is never a bug, wherever it does so
        name = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        _refuse(f"{name}{error.strerror or error}")
    except KeyboardInterrupt:  # before typer listens
        _stopped("interrupted", INTERRUPTED)
    except SystemExit as done:
        if done.code == INTERRUPTED:  # typer's answer to Ctrl-C
            _stopped("interrupted", INTERRUPTED)
        if done.code == TERMINATED:
            _stopped("terminated", TERMINATED)
        raise


def _open_closed_streams() -> None:
    """Lead those that the caller has closed (`>&-`) nowhere, so that no file takes their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, stream)


def _listen() -> None:
    """Let SIGTERM unwind as Ctrl-C does, unless whoever called us has it ignored."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _terminate(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one does not wait
    sys.exit(TERMINATED)


def _stopped(how: str, status: int) -> NoReturn:
    sys.stderr.write(f"compress: {how}; the same command goes on where it was\n")
    sys.exit(status)


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"compress: {' '.join(message.split())}\n")
    sys.exit(2)
