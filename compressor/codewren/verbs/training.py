"""What the training verbs share: a bar with the loss, and the curve afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from codewren.data import Dataset
from codewren.plots import line_plot
from codewren.progress import Bar, Reporter
from codewren.run_directory import Run, Step, read_marker
from codewren_runtime.errors import OptionError
from codewren_runtime.files import read_small
from codewren_runtime.types import Architecture, Task

if TYPE_CHECKING:
    from codewren_distill.classifier import Classifier
    from codewren_distill.settings import FreshStudent
    from codewren_distill.training import Progress

__all__ = [
    "PRETRAINED",
    "Watch",
    "architecture_of_pretrained",
    "finish_training",
    "finished_training",
    "fresh_student",
    "pretrained_in",
]

SMOOTHING = 0.98
PRETRAINED = "pretrained"  # folder of the run


class Watch:
    """Turns training progress into a bar; keeps a smoothed loss."""

    def __init__(self, reporter: Reporter, title: str) -> None:
        self.reporter, self.title = reporter, title
        self.loss: float | None = None
        self._step, self._parts = 0, 1
        self._context: AbstractContextManager[Bar] | None = None
        self._bar: Bar | None = None

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._context is not None:
            self._context.__exit__(kind, error, trace)

    def report(self, progress: Progress) -> None:
        """One step is done; the bar opens at the first, which knows the number of steps."""
        if self._bar is None:
            self._context = self.reporter.step(self.title, progress.steps)
            self._bar = self._context.__enter__()
        if progress.parts > self._parts:
            self.reporter.say(
                f"{self.title}: memory does not suffice for a batch; from step {progress.step} on "
                f"each goes in {progress.parts} parts"
            )
            self._parts = progress.parts
        old = progress.loss if self.loss is None else self.loss
        self.loss = SMOOTHING * old + (1 - SMOOTHING) * progress.loss
        self._bar.advance(
            progress.step - self._step, f"epoch {progress.epoch}, loss {self.loss:.3f}"
        )
        self._step = progress.step


def pretrained_in(
    run: Run, architecture: Architecture, task: Task, fresh: FreshStudent
) -> str | None:
    """The sha256 of the run's pre-trained encoder; None if there is none to start from.

    Raises OptionError if it is another architecture's, reads another text, or was changed.
    """
    folder = run.path(PRETRAINED)
    if fresh.from_scratch or not (folder / "metrics.json").is_file():
        return None
    remedy = "run pretrain again, or leave it aside with --from-scratch"
    left = _pretrained(folder, task, remedy)
    if left["inputs"]["architecture"] != architecture.to_json():
        raise OptionError(f"{folder}: was pre-trained with another architecture; {remedy}")
    return str(left["sha256"])


def architecture_of_pretrained(folder: Path, task: Task) -> Architecture | None:
    """The architecture of an encoder that `pretrain` left in `folder`; None for another checkpoint.

    Raises OptionError if it reads another text, or was changed; and where the folder's
    metrics.json cannot be read, which would say whose it is.
    """
    marker = folder / "metrics.json"
    if not marker.is_file():
        return None
    again = "run pretrain again"
    try:
        settings = json.loads(read_small(marker))["inputs"]["settings"]
        is_ours = isinstance(settings, dict) and "mask_share" in settings
    except (ValueError, RecursionError) as error:
        remedy = f"{again}, or remove it if the checkpoint is another's"
        raise OptionError(f"{marker}: is not JSON ({error}); {remedy}") from error
    except (KeyError, TypeError, IndexError):
        return None
    if not is_ours:
        return None
    left = _pretrained(folder, task, again, f"give that --normalisation, or {again}")
    try:
        return Architecture.from_json(left["inputs"]["architecture"])
    except (KeyError, OptionError) as error:
        raise OptionError(f"{marker}: names no architecture; {again}") from error


def _pretrained(
    folder: Path, task: Task, remedy: str, of_text: str | None = None
) -> dict[str, Any]:
    """What `pretrain` says of its folder; `of_text` mends that it reads another."""
    from codewren_distill.teachers import classifier_hash

    marker = folder / "metrics.json"
    left = read_marker(marker)
    try:
        normalisation, sha256 = left["inputs"]["normalisation"], left["sha256"]
    except (KeyError, TypeError) as error:
        raise OptionError(f"{marker}: is not as pretrain writes it; {remedy}") from error
    if normalisation != task.normalisation:
        raise OptionError(
            f"{folder}: was pre-trained on {normalisation} text, the task is on "
            f"{task.normalisation}; {of_text or remedy}"
        )
    if sha256 != classifier_hash(str(folder)):
        raise OptionError(f"{folder}: was changed since it was written; {remedy}")
    return left


def fresh_student(
    architecture: Architecture,
    task: Task,
    data: Dataset,
    fresh: FreshStudent,
    seed: int,
    pretrained: Path | None = None,
) -> Classifier:
    """A student that has not learnt the task yet.

    Its tokenizer, and its encoder, are those of the folder `pretrained`; without one the
    tokenizer, and if asked the embeddings, are made of the data's texts.
    """
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import DistinctTexts, train_tokenizer

    if pretrained is not None:
        from codewren_distill.pretraining import start_from

        tokenizer = (pretrained / "tokenizer.json").read_text(encoding="utf-8")
        student = build_student(architecture, task, tokenizer, seed, fresh)
        start_from(student, pretrained)
        return student
    texts = DistinctTexts(data.examples)
    tokenizer = train_tokenizer(texts, architecture.vocab_size, task.normalisation)
    student = build_student(architecture, task, tokenizer, seed, fresh)
    if fresh.embeddings == "cooccurrence":
        from codewren_distill.cooccurrence import initialise_embeddings

        initialise_embeddings(student.core, student.text.tokenizer, texts, seed)
    return student


def finished_training(run: Run, step: Step) -> dict[str, Any] | None:
    """The result of a training that need not run again: its folder still holds what it made.

    What only a resume needs is removed where there is nothing to resume, or by `--force`.
    """
    from codewren_distill.teachers import classifier_hash
    from codewren_distill.train import discard_state

    left = step.result()
    folder = step.marker.parent
    is_whole = left is not None and left["sha256"] == classifier_hash(str(folder))
    done = run.finished(step) if is_whole else None
    if done or run.force:
        discard_state(folder)  # a kill may have come before
    return done


def finish_training(step: Step, found: Mapping[str, Any]) -> dict[str, Any]:
    """Complete the step with what was `found`, the curves and the hash of what was saved."""
    from codewren_distill.teachers import classifier_hash
    from codewren_distill.train import discard_state

    folder = step.marker.parent
    loss = draw_curves(folder)
    done = step.finish({"loss": loss, **found, "sha256": classifier_hash(str(folder))})
    discard_state(folder)
    return done


def draw_curves(folder: Path) -> float | None:
    """Draw `log.jsonl` of a training as `curves.png`; returns the smoothed loss at its end."""
    from codewren_distill.training import LOG

    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    losses: list[float] = [line["loss"] for line in lines]
    smooth: list[float] = []
    for loss in losses:
        smooth.append(SMOOTHING * (smooth[-1] if smooth else loss) + (1 - SMOOTHING) * loss)
    steps = [line["step"] for line in lines]
    line_plot(
        folder / "curves.png",
        {"loss of a batch": (steps, losses), "smoothed": (steps, smooth)},
        title=f"Training of the {folder.name}",
        axes=("optimizer step", "loss"),
    )
    return smooth[-1] if smooth else None
