"""The published recipe of distillation written out anew, and what both its benchmarks share.

The student has a vocabulary of 1,000, hidden 96, 12 layers, 8 heads, intermediate 64, and learns
from soft labels (KL at temperature 10, learning rate 1e-4, batch 16, windows of 400 tokens). Every
text is padded to 400, numbers are fp32, dropout is 0.1 in attention too, attention is in plain
matrix products, and the optimizer loops over its parameters. It trains biases and norms, which the
original left out: a little more work, and the better student.
"""

from __future__ import annotations

import ast
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, get_linear_schedule_with_warmup

from bundles import library
from codewren_distill.losses import distillation_loss
from codewren_distill.student import PAD_ID, student_config
from codewren_distill.text_side import Encoded
from codewren_runtime.types import Architecture, Example, Task

__all__ = ["BATCH", "PUBLISHED", "RATE", "SEED", "TASK", "TEMPERATURE", "PublishedLoop",
           "functions", "needed_flops"]  # fmt: skip

PUBLISHED = Architecture(1_000, 96, 12, 8, 64, 400)
TASK = Task("speed", "single", ("no", "yes"), "published")
BATCH, TEMPERATURE, RATE, DROPOUT = 16, 10.0, 1e-4, 0.1
SEED = 0


def functions(data: Path | None, count: int) -> list[Example]:
    """Labelled functions in a fixed random order: Devign's, or the standard library's."""
    if data is not None:
        with gzip.open(data, "rt", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        found = [Example(row["func"], label=int(row["target"])) for row in rows]
    else:
        text = library()
        found = [Example(part, label=int("raise " in part)) for part in definitions(text)]
    unique = list({example.text: example for example in found}.values())
    return random.Random(SEED).sample(unique, min(count, len(unique)))


def definitions(text: str) -> Iterator[str]:
    """The functions of Python sources glued together, in pieces that parse."""
    for piece in text.split("\ndef ")[1:]:
        source = "def " + piece.split("\n\n\n")[0]
        try:
            ast.parse(source)
        except SyntaxError:
            continue
        if len(source) > 100:
            yield source


class PublishedLoop:
    """The published recipe, some steps at a time."""

    def __init__(
        self,
        encoded: Sequence[Encoded],
        targets: Tensor,
        steps: int,
        device: str = "cpu",
        shape: Architecture = PUBLISHED,
    ) -> None:
        """`targets` are logits (rows, 2), `steps` all that its schedule is for."""
        config = student_config(shape, TASK, DROPOUT)
        config.attention_probs_dropout_prob = DROPOUT
        torch.manual_seed(SEED)
        self.model: Any = AutoModelForSequenceClassification.from_config(
            config, attn_implementation="eager"
        ).to(device)
        self.encoded, self.targets = encoded, targets.to(device)
        self.device, self.window = device, shape.max_length
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=RATE, foreach=False)
        self.schedule = get_linear_schedule_with_warmup(self.optimizer, steps // 10, steps)
        self.loss = distillation_loss("kl", TEMPERATURE)
        self.batches = self._batches()

    def _batches(self) -> Iterator[list[int]]:
        rng = np.random.default_rng(SEED)
        while True:
            order = rng.permutation(len(self.encoded)).tolist()
            yield from (order[i : i + BATCH] for i in range(0, len(order) - BATCH + 1, BATCH))

    def logits(self, rows: Sequence[Encoded]) -> Tensor:
        """Logits (rows, 2) of texts padded to the window."""
        ids = torch.full((len(rows), self.window), PAD_ID)
        for at, (row,) in enumerate(rows):
            ids[at, : len(row)] = torch.tensor(row)
        ids = ids.to(self.device)
        logits: Tensor = self.model(input_ids=ids, attention_mask=(ids != PAD_ID).long()).logits
        return logits

    def train(self, steps: int) -> None:
        """So many steps more."""
        self.model.train()
        for rows in (next(self.batches) for _ in range(steps)):
            loss = self.loss(self.logits([self.encoded[row] for row in rows]), self.targets[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()
            self.model.zero_grad()
            loss.item()  # the original logs every step

    @torch.inference_mode()
    def answers(self, encoded: Sequence[Encoded]) -> NDArray[np.float32]:
        """Logits (rows, 2) without dropout."""
        self.model.eval()
        parts = [self.logits(encoded[i : i + BATCH]) for i in range(0, len(encoded), BATCH)]
        return torch.cat(parts).cpu().numpy()


def needed_flops(lengths: Sequence[int], shape: Architecture = PUBLISHED) -> float:
    """FLOPs of training on texts of these many tokens once, without padding: 3 forward passes.

    A forward pass: 2 for each weight of a matrix and token, and 4 · hidden for each pair of
    tokens in each layer (the scores, and the mean of the values).
    """
    of_token = 2 * (4 * shape.hidden_size**2 + 2 * shape.hidden_size * shape.intermediate_size)
    of_texts = sum(n * of_token + 4 * shape.hidden_size * n * n for n in lengths)
    return 3.0 * shape.num_layers * of_texts
