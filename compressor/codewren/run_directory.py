"""The run directory: what each verb leaves for the next, and when it need not run again.

    task.json                           what the models answer; written by the first verb that knows
    architecture.json                   search
    pretrained/, pretrained/metrics.json   pretrain: an encoder that the student starts from
    teacher/, teacher/metrics.json      finetune
    teacher/folds/, teacher/folds/folds.json   finetune --folds
    control/, control/metrics.json      finetune, of the student's architecture from scratch
    soft_labels.safetensors, soft_labels.json   label
    teacher_states.safetensors, teacher_states.json   label --states
    student/, student/metrics.json      distill
    model.wren, export.json             export
    report.json, report.md, report.png  evaluate

A step's JSON is written last and names the sha256 of all that the step depends on: if it is
there and agrees, the step is complete and is skipped. It names its own sha256 too, so that one
that was changed afterwards is not believed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from codewren.progress import Reporter, Silent
from codewren.ranks import is_first, refuse_several, taking_part
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_json, sha256_of, write_json
from codewren_runtime.temporary import lock_handle, sweep_below
from codewren_runtime.types import Task

__all__ = ["Run", "Step", "read_marker"]

CHECKSUM, LOCK = "checksum", ".lock"
ATTEMPTS = 100  # at a lock that others come and go with


def read_marker(path: Path) -> dict[str, Any]:
    """What a step's JSON says; OptionError if it is none, or is not as the step wrote it.

    Those of former versions have no checksum, and are read as they are.
    """
    data = read_json(path)
    checksum = data.pop(CHECKSUM, None)
    if checksum not in (None, sha256_of(data)):
        raise OptionError(f"{path}: was changed since it was written; make it again with --force")
    return data


@dataclass(frozen=True)
class Step:
    """One verb's work in a run directory: its marker file and the inputs that decide it."""

    title: str
    marker: Path
    inputs: Mapping[str, Any]

    @property
    def identity(self) -> str:
        """sha256 of the inputs; names what a resume may continue."""
        return sha256_of(self.inputs)

    def result(self) -> dict[str, Any] | None:
        """What the step left, if it is complete and its inputs are unchanged."""
        try:
            data = read_marker(self.marker)
        except OptionError:  # missing, half-made or of another version: the step is not complete
            return None
        return data if data.get("identity") == self.identity else None

    def finish(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Mark the step complete with its results."""
        data = {"identity": self.identity, "inputs": dict(self.inputs), **data}
        # As JSON has it: keys are strings there, and tuples lists.
        checksum = sha256_of(json.loads(json.dumps(data)))
        write_json(self.marker, {**data, CHECKSUM: checksum})
        return read_marker(self.marker)


@dataclass
class Run:
    """A run directory, and how to work in it."""

    folder: Path
    reporter: Reporter = field(default_factory=Silent)
    force: bool = False

    def path(self, name: str) -> Path:
        """A file or folder of the run."""
        return self.folder / name

    def finished(self, step: Step) -> dict[str, Any] | None:
        """The step's result if it need not run again; says so. `--force` redoes every step."""
        result = None if self.force else step.result()
        if result is not None:
            self.reporter.say(f"{step.title}: unchanged, skipped ({step.marker.name} is there)")
        return result

    @contextlib.contextmanager
    def locked(self, *, together: bool = False) -> Iterator[None]:
        """Hold the run directory alone; OptionError if another process holds it.

        The lock is the operating system's, so it goes with the process, even a killed one;
        what such a one was writing is removed. With `together` several processes may work on it
        as `codewren.ranks` says, of which the first holds it.
        """
        if not together:
            refuse_several("this verb")
        whole, lock = self.folder, self._held() if is_first() else contextlib.nullcontext()
        with lock, taking_part(whole) as self.folder:
            yield
        self.folder = whole

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        lock = self.folder / LOCK
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = _locked(lock)
        except OSError as error:
            raise OptionError(
                f"{self.folder}: cannot write there ({error.strerror}); choose another with --run"
            ) from error
        try:
            sweep_below(self.folder)
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows keeps what is open, and no harm is done
                lock.unlink()
            os.close(handle)

    def task(self) -> Task | None:
        """The run's task, once a verb has set it."""
        path = self.path("task.json")
        return Task.from_json(read_json(path)) if path.is_file() else None

    def set_task(self, task: Task) -> None:
        """Fix the run's task; OptionError if the run already has another."""
        known = self.task()
        if known is None or self.force:
            write_json(self.path("task.json"), task.to_json())
        elif known != task:
            old, new = known.to_json(), task.to_json()
            other = next(key for key in old if old[key] != new[key])
            raise OptionError(
                f"{self.path('task.json')}: this run's task has the {other} {old[other]!r}, not "
                f"{new[other]!r}; use another --run, or --force"
            )


def _locked(lock: Path) -> int:
    """A handle of the file `lock`, made if need be, that no other process has.

    Whoever held it before removes it at the end, so that what was opened may have lost its name
    meanwhile; holding that would keep nobody out.
    """
    for _ in range(ATTEMPTS):
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as opened:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT)
            opened.callback(os.close, handle)
            try:
                lock_handle(handle)
            except OSError:
                break
            if os.path.samestat(os.fstat(handle), lock.stat()):
                opened.pop_all()
                return handle
    raise OptionError(
        f"{lock.parent}: another compress is at work there; wait for it or use another --run"
    )
