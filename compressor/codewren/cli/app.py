"""The command itself: all verbs in the order of a run."""

from __future__ import annotations

import contextlib
import errno
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
from codewren.cli.console import printable
from codewren.ranks import is_first
from codewren_runtime.errors import CodewrenError

__all__ = ["app", "main"]

INTERRUPTED, HUNG_UP, TERMINATED = 130, 141, 143

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
        _run()
    except BrokenPipeError:  # whoever read has gone: `compress … | head`
        _hang_up()


def _run() -> None:
    try:
        try:
            app()
        finally:
            if not sys.stdout.closed:  # which the editor server does when it ends
                sys.stdout.flush()
    except CodewrenError as error:
        _refuse(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:  # what the system refuses is never a bug, wherever it does so
        _refuse(_refused_by_system(error))
    except KeyboardInterrupt:  # before typer listens
        _stopped("interrupted", INTERRUPTED)
    except SystemExit as done:
        if isinstance(done.__context__, BrokenPipeError):  # typer's answer is 1: findings, for us
            raise done.__context__ from None
        if done.code == INTERRUPTED:  # typer's answer to Ctrl-C
            _stopped("interrupted", INTERRUPTED)
        if done.code == TERMINATED:
            _stopped("terminated", TERMINATED)
        raise


def _refused_by_system(error: OSError) -> str:
    """The error in words, with the file where Python knows it: of a write it never does."""
    what = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {what}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"stdout or a file cannot be written: {what}; make room and run it again"
    return what


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
    sys.unraisablehook = _hear_again
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def _hear_again(lost: sys.UnraisableHookArgs) -> None:
    """Ctrl-C or SIGTERM in a callback, where Python drops what is raised, comes again after it."""
    error = lost.exc_value
    if not isinstance(error, KeyboardInterrupt | SystemExit) or not hasattr(signal, "setitimer"):
        sys.__unraisablehook__(lost)
        return

    def again(*_: object) -> NoReturn:
        raise error

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, 0.01)


def _terminate(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one does not wait
    sys.exit(TERMINATED)


def _stopped(how: str, status: int) -> NoReturn:
    _end(f"{how}; the same command goes on where it was", status)


def _refuse(message: str) -> NoReturn:
    _end(" ".join(message.split()), 2)


def _end(line: str, status: int) -> NoReturn:
    with contextlib.suppress(OSError):  # where nobody hears it, the status says enough
        sys.stderr.write(f"compress: {printable(line)}\n")
    sys.exit(status)


def _hang_up() -> NoReturn:
    """Say nothing to nobody, and end with the status that a shell gives for SIGPIPE."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # what they still hold is for no one
        os.dup2(nowhere, stream.fileno())
    sys.exit(HUNG_UP)
