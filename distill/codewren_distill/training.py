"""One training loop for teachers, students and controls, through accelerate.

Every step draws its random numbers from (seed, step), and the order of the batches from
(seed, epoch): a run that was killed and resumed computes what an uninterrupted one does.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import DataLoaderConfiguration
from torch import Tensor
from torch.utils.data import DataLoader

from codewren_distill.batches import LengthBuckets, Rows, by_length, lengths_of
from codewren_distill.checkpoint import Position, below, restore, store
from codewren_distill.devices import only_cpus, precision
from codewren_distill.early_stopping import EarlyStopping
from codewren_distill.objectives import Lesson
from codewren_distill.optimisation import average_of, optimizer_of, schedule
from codewren_distill.parts import in_parts, is_out_of_memory
from codewren_distill.qat import Rounding
from codewren_distill.settings import TrainingSettings
from codewren_distill.text_side import Batch, Encoded
from codewren_distill.token_dropout import TokenDropout
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.files import write_bytes

__all__ = ["LOG", "STATE", "Progress", "Trainable", "fit"]

LOG = "log.jsonl"
STATE = "training_state/state.safetensors"


@dataclass(frozen=True, slots=True)
class Progress:
    """One step done, for bars and logs; `parts` of a batch are those that memory asked for."""

    step: int
    steps: int
    epoch: int
    loss: float
    learning_rate: float
    parts: int = 1


Report = Callable[[Progress], None]


class Trainable(Protocol):
    """What holds a model to train, a torch module: a classifier, for one."""

    model: Any


def fit(
    trainable: Trainable,
    lesson: Lesson,
    settings: TrainingSettings,
    *,
    folder: Path,
    identity: str,
    report: Report | None = None,
    stopping: EarlyStopping | None = None,
    rounding: Rounding | None = None,
) -> Position:
    """Train `trainable.model` in place; with `stopping` it ends with the best epoch's weights.

    With `rounding` of the model's weights the gradients are those of the rounded ones.
    Writes `training_state/` in `folder` now and then and at the end of every epoch, and
    resumes from it when `identity` is the same; `log.jsonl` gets one line per step.
    Where memory does not suffice for a batch, it and all after it go in halves, or in halves of
    these, whose gradients add up. Raises ModelError when the loss is no longer a number, or
    memory does not suffice for one row; OptionError when nothing more can be written.
    In several processes (torchrun, accelerate launch) each wants a `folder` of its own, with
    the same in it; they share gradients, and end with the same weights.
    """
    trainer = _Trainer(trainable, lesson, settings, folder, identity, report, stopping, rounding)
    position = trainer.run()
    trainable.model.eval()
    return position


class _Trainer:
    def __init__(
        self,
        trainable: Trainable,
        lesson: Lesson,
        settings: TrainingSettings,
        folder: Path,
        identity: str,
        report: Report | None,
        stopping: EarlyStopping | None,
        rounding: Rounding | None,
    ) -> None:
        self.trainable, self.lesson, self.settings = trainable, lesson, settings
        self.folder, self.identity, self.report = folder, identity, report
        self.stopping, self.rounding = stopping, rounding
        self.state_path = folder / STATE
        # From pinned memory a GPU takes the next batch while it still works on this one.
        self.pinned = torch.cuda.is_available()
        self.accelerator = Accelerator(
            mixed_precision=precision(),
            cpu=only_cpus(),
            dataloader_config=DataLoaderConfiguration(non_blocking=self.pinned),
        )
        # What an earlier training left: accelerate leaves a model so marked where it is.
        vars(trainable.model).pop("_is_accelerate_prepared", None)
        self.model = self.accelerator.prepare(trainable.model)
        self.optimizer = self.accelerator.prepare(optimizer_of(self.model, settings))
        self.average = average_of(self._bare(), settings.ema)
        lesson.objective.follow(None if self.average is None else self.average.module)
        rate, tokenizer = settings.token_dropout, lesson.text.tokenizer
        self.dropout = TokenDropout(rate, tokenizer) if rate else None
        self.steps, self.parts = 0, settings.accumulation
        # Of the step that is being computed: each part's share and loss, the gradients' norm.
        self.losses: list[tuple[float, Tensor]] = []
        self.norm = torch.zeros(())
        self.position = Position()

    def run(self) -> Position:
        rows = Rows(self.lesson.encoded, self.lesson.targets)
        lengths = lengths_of(self.lesson.encoded)
        batch_size, world = self.settings.batch_size, self.accelerator.num_processes
        per_epoch = -(-len(by_length(lengths, batch_size)) // world)
        self.steps = per_epoch * self.settings.epochs
        self._restore()
        log = _Log(self.folder / LOG, self.position.step)
        self.model.train()
        for epoch in range(self.position.step // per_epoch, self.settings.epochs):
            if self.stopping is not None and self.stopping.over:
                break
            buckets = LengthBuckets(
                lengths,
                batch_size,
                seed=self.settings.seed,
                epoch=epoch,
                start=self.position.step % per_epoch * world,
            )
            loader = DataLoader(
                rows, batch_sampler=buckets, collate_fn=self._collate, pin_memory=self.pinned
            )
            self._epoch(self.accelerator.prepare(loader), epoch, log)
            if self.stopping is not None:
                self.stopping.judge(self._kept())
            self._store()
        kept = self.stopping.best if self.stopping is not None else self._kept().state_dict()
        self.trainable.model = self._bare().cpu()
        self.trainable.model.load_state_dict(kept)
        return self.position

    def _epoch(self, loader: Any, epoch: int, log: _Log) -> None:
        last = stored = time.monotonic()
        batches = iter(loader)
        coming = next(batches, None)
        while coming is not None:
            rate = self._begin(*coming)
            # Made while an accelerator computes: it has been told what, and nothing waits for it.
            coming = next(batches, None)
            value = self._end()
            now = time.monotonic()
            self.position = Position(self.position.step + 1, self.position.seconds + now - last)
            last = now
            asked = self.parts if self.parts > self.settings.accumulation else 1
            progress = Progress(self.position.step, self.steps, epoch + 1, value, rate, asked)
            log.write(progress)
            if self.report is not None:
                self.report(progress)
            # At the end of an epoch the state is stored with what early stopping says of it.
            at_end = self.position.step % (self.steps // self.settings.epochs) == 0
            if now - stored >= self.settings.checkpoint_seconds and not at_end:
                self._store()
                stored = time.monotonic()

    def _begin(self, batch: Batch, target: Tensor) -> float:
        """Have the gradients of a step computed, clipped; its learning rate."""
        settings, step = self.settings, self.position.step
        # Every process hides other tokens.
        process = self.accelerator.process_index
        torch.manual_seed(settings.seed * 1_000_003 + step + process * 7_919)
        rate = settings.learning_rate * schedule(step, self.steps, settings.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.dropout is not None:
            batch = batch | {"input_ids": self.dropout(batch["input_ids"])}
        with nullcontext() if self.rounding is None else self.rounding.applied():
            self.losses = self._gradients(batch, target)
        self.norm = self.accelerator.clip_grad_norm_(
            self.model.parameters(), settings.max_grad_norm
        )
        return rate

    def _end(self) -> float:
        """Take the step, if it is one to take; its loss."""
        # The step's one transfer from an accelerator, which waits until all before it is computed.
        values = torch.stack([*(loss.float() for _, loss in self.losses), self.norm.float()])
        losses: list[float]
        *losses, norm = values.tolist()
        for loss in losses:
            self._require_finite("loss", loss)
        self._require_finite("norm of the gradients", norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self._bare())
        return sum(share * loss for (share, _), loss in zip(self.losses, losses, strict=True))

    def _gradients(self, batch: Batch, target: Tensor) -> list[tuple[float, Tensor]]:
        """Leave the batch's gradients on the parameters; each part's share of it, and loss."""
        while True:
            try:
                return [
                    (share, self._part(rows, wanted, share))
                    for rows, wanted, share in in_parts(batch, target, self.parts)
                ]
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.accelerator.num_processes > 1:  # the others would wait for its gradients
                    raise ModelError(
                        f"training: memory does not suffice for {len(target)} rows in each of "
                        f"{self.accelerator.num_processes} processes; give a smaller batch_size"
                    ) from error
                if self.parts >= len(target):
                    raise ModelError(
                        "training: memory does not suffice for one row; train a smaller model or "
                        "one that reads fewer tokens"
                    ) from error
            # Here and not above: the error held what the failed pass had made.
            self.optimizer.zero_grad()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self.parts *= 2

    def _part(self, batch: Batch, target: Tensor, share: float) -> Tensor:
        with self.accelerator.autocast():
            value: Tensor = self.lesson.objective(self.model, batch, target)
        self.accelerator.backward(value * share)
        return value.detach()

    def _require_finite(self, name: str, value: float) -> None:
        """ModelError before a step that would spoil the weights, and the state of a resume."""
        if not math.isfinite(value):
            causes = f"lower the learning rate (now {self.settings.learning_rate:g})"
            if not self.position.step:
                causes = "the weights that training starts from, or the soft labels, are damaged"
            raise ModelError(
                f"training: the {name} is {value} at step {self.position.step + 1}; {causes}"
            )

    def _collate(self, part: list[tuple[Encoded, Tensor]]) -> tuple[Batch, Tensor]:
        rows, targets = zip(*part, strict=True)
        return self.lesson.text.collate(rows), torch.stack(targets)

    def _bare(self) -> Any:
        return self.accelerator.unwrap_model(
            self.model, keep_fp32_wrapper=False, keep_torch_compile=False
        )

    def _kept(self) -> Any:
        """The model whose weights count: the moving average where there is one."""
        return self._bare() if self.average is None else self.average.module

    def _store(self) -> None:
        more = {f"objective.{k}": v for k, v in self.lesson.objective.state().items()}
        if self.average is not None:
            more |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        if self.stopping is not None:
            more |= {f"stopping.{k}": v for k, v in self.stopping.state().items()}
        store(self.state_path, self._bare(), self.optimizer, self.position, self.identity, more)

    def _restore(self) -> None:
        bare = self._bare()
        self.position, more = restore(self.state_path, bare, self.optimizer, self.identity)
        if not more:
            return
        self.lesson.objective.load_state(below("objective.", more))
        if self.average is not None:
            self.average.load_state_dict(below("average.", more))
        if self.stopping is not None:
            self.stopping.load_state(below("stopping.", more))


class _Log:
    """A JSON line per step; what a killed run logged past its last state goes."""

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        kept = path.read_text().splitlines()[:step] if step and path.is_file() else []
        write_bytes(path, "".join(f"{line}\n" for line in kept).encode())

    def write(self, progress: Progress) -> None:
        try:
            with self.path.open("a") as stream:
                stream.write(json.dumps(asdict(progress)) + "\n")
        except OSError as error:
            raise OptionError(
                f"{self.path}: cannot be written ({error.strerror}); make room and start again, "
                "the training goes on where it was"
            ) from error
