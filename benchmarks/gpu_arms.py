"""Some arms of gpu_speed.py, measured in this process one after the other.

    python benchmarks/gpu_arms.py FOLDER [--data FILE.jsonl.gz] [--quick] --arms NAME...

Writes FOLDER/NAME.json after each; one that fails says why in it, and the next begins. Whether the
model is compiled is accelerate's to know, by the environment: gpu_speed.py sets it.
"""

from __future__ import annotations

import argparse
import gc
import math
import tempfile
import traceback
from collections.abc import Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

from codewren_distill.batches import LengthBuckets
from codewren_distill.classifier import Classifier
from codewren_distill.devices import precision
from codewren_distill.models import SequenceModel
from codewren_distill.scoring import encode_all
from codewren_distill.settings import TrainingSettings
from codewren_distill.soft_labels import SoftLabels, example_key
from codewren_distill.student import build_student, student_config
from codewren_distill.text_side import SiameseText
from codewren_distill.train import distill, finetune
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.files import write_bytes, write_json
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Architecture
from gpu_plan import DEVICE, PLAN, QUICK, Arm
from gpu_watch import EnoughError, Round, Watch, device_and_peaks
from published_recipe import (
    BATCH,
    DROPOUT,
    PUBLISHED,
    RATE,
    SEED,
    TASK,
    TEMPERATURE,
    PublishedLoop,
    functions,
    needed_flops,
)

FUNCTIONS = 2_048
# CodeBERT's shape. Its texts are cut into tokens of fewer kinds, learnt from the functions.
TEACHER = Architecture(50_265, 768, 12, 12, 3_072, 400)
KINDS = {"student": PUBLISHED.vocab_size, "teacher": 10_000}
SMALL = Architecture(400, 32, 2, 2, 32, 64)  # what --quick trains in place of both


class Remembering(CodeTokenizer):
    """Encodes each text once: an epoch long enough for all rounds holds it many times."""

    def __init__(self, json_text: str, max_length: int) -> None:
        super().__init__(json_text, max_length, TASK.normalisation)
        self.known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Token ids of one text."""
        if text not in self.known:
            self.known[text] = super().encode(text)
        return self.known[text]


class Workshop:
    """The functions, and what learns from them; tokenizers are kept in `folder` for the next."""

    def __init__(self, folder: Path, data: Path | None, *, quick: bool) -> None:
        self.folder, self.quick = folder, quick
        self.examples = functions(data, 64 if quick else FUNCTIONS)
        self.tokenizers: dict[str, Remembering] = {}

    def shape(self, model: str) -> Architecture:
        """That of a student or a teacher."""
        return SMALL if self.quick else {"student": PUBLISHED, "teacher": TEACHER}[model]

    def tokenizer(self, model: str) -> Remembering:
        """What cuts texts into the model's tokens."""
        if model not in self.tokenizers:
            path = self.folder / f"{model}.tokenizer"
            if not path.is_file():
                kinds = SMALL.vocab_size if self.quick else KINDS[model]
                texts = (example.text for example in self.examples)
                write_bytes(path, train_tokenizer(texts, kinds, TASK.normalisation).encode())
            window = self.shape(model).max_length
            self.tokenizers[model] = Remembering(path.read_text("utf-8"), window)
        return self.tokenizers[model]

    def classifier(self, model: str) -> Classifier:
        """A fresh one of random weights; a teacher has CodeBERT's dropout, in attention too."""
        shape, tokenizer = self.shape(model), self.tokenizer(model)
        text = SiameseText(tokenizer, pairs=False)
        if model == "student":
            made = build_student(shape, TASK, tokenizer.to_json(), SEED)
            return Classifier(made.model, text, TASK, shape.max_length)
        config = student_config(shape, TASK, DROPOUT)
        config.attention_probs_dropout_prob = DROPOUT
        torch.manual_seed(SEED)
        core = AutoModelForSequenceClassification.from_config(config)
        return Classifier(SequenceModel(core), text, TASK, shape.max_length)


def measure(arm: Arm, shop: Workshop) -> dict[str, Any]:
    """Train as the arm says, in one long epoch that ends before anything is saved."""
    model = shop.classifier(arm.model)
    distinct = encode_all(model, shop.examples)
    logits = np.random.default_rng(SEED).normal(size=(len(distinct), 2)).astype(np.float32)
    loop = None
    if arm.beside:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        targets, steps = torch.from_numpy(logits), 2 * arm.steps
        loop = PublishedLoop(distinct, targets, steps, device, shop.shape(arm.model))
    watch = Watch(arm, None if loop is None else loop.train)
    rows = list(islice(cycle(shop.examples), arm.steps * arm.batch))
    # Nothing is stored on the way either: that is no part of a step.
    settings = TrainingSettings(1, arm.batch, RATE, seed=SEED, checkpoint_seconds=math.inf)
    with tempfile.TemporaryDirectory() as folder, suppress(EnoughError):
        if arm.model == "teacher":
            finetune(model, rows, settings, Path(folder), identity=arm.name, report=watch)
        else:
            soft = dict(zip(map(example_key, shop.examples), logits, strict=True))
            drawn = SoftLabels("drawn", TASK.labels, soft)
            distill(model, rows, drawn, settings, Path(folder), loss="kl",
                    temperature=TEMPERATURE, identity=arm.name, report=watch)  # fmt: skip
    lengths = [len(ids) for (ids,) in distinct]
    return found_of(arm, watch, lengths, shop.shape(arm.model))


def found_of(arm: Arm, watch: Watch, lengths: Sequence[int], shape: Architecture) -> dict[str, Any]:
    """What is reported of an arm whose distinct texts have so many tokens each."""
    every = list(islice(cycle(lengths), arm.steps * arm.batch))
    batches = list(LengthBuckets(every, arm.batch, seed=SEED, epoch=0))[arm.warm_up :]
    turns = [batches[at : at + arm.turn] for at in range(0, len(batches), arm.turn)]
    work = [needed_flops([every[row] for batch in turn for row in batch], shape) for turn in turns]
    # The other's texts are all padded to the window, so that the mean one stands for them.
    mean = needed_flops(lengths, shape) / len(lengths) * arm.turn * BATCH
    ours, theirs = watch.rounds["codewren"], watch.rounds["published"]
    precise = "bf16" if precision() == "bf16" else "fp32"
    found = {
        "model": arm.model, "batch": arm.batch, "way": arm.way, "steps_a_round": arm.turn,
        "seconds_to_warm_up": round(watch.warm_up_seconds, 2), "median_tokens": median(lengths),
        "codewren": {"precision": precise, **figures(arm, ours, work),
                     "device_busy": watch.busy.get("codewren")},
    }  # fmt: skip
    if arm.beside:
        ratios = [b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True)]
        found["ratio"] = spread(ratios)
        found["published"] = {
            "precision": "fp32", **figures(arm, theirs, [mean] * len(theirs)),
            "device_busy": watch.busy.get("published"),
        }  # fmt: skip
    return found


def figures(arm: Arm, rounds: Sequence[Round], work: Sequence[float]) -> dict[str, Any]:
    """Of one loop; `work` are the FLOPs that the real tokens of each round need."""
    a_second = [flops / one.seconds for flops, one in zip(work, rounds, strict=False)]
    return {
        "rounds": len(rounds),
        "steps_per_second": spread([arm.turn / one.seconds for one in rounds]),
        "functions_per_second": spread([arm.turn * arm.batch / one.seconds for one in rounds]),
        "gflops_per_second": spread([one / 1e9 for one in a_second]),
        "peak_bytes": max(one.bytes for one in rounds),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range, in four digits."""
    of = {"median": median(values), "least": min(values), "most": max(values)}
    return {name: float(f"{value:.4g}") for name, value in of.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--arms", nargs="+", required=True)
    given = parser.parse_args()
    by_name = {arm.name: arm for arm in (QUICK if given.quick else PLAN)}
    shop = Workshop(given.folder, given.data, quick=given.quick)
    for name in given.arms:
        print(f"{name} ...", flush=True)
        try:
            found = device_and_peaks() if name == DEVICE else measure(by_name[name], shop)
        except Exception as error:  # noqa: BLE001  # the other arms are to be measured all the same
            traceback.print_exc()
            found = {"failed": f"{type(error).__name__}: {error}"[:500]}
        write_json(given.folder / f"{name}.json", found)
        gc.collect()
        torch.cuda.empty_cache()  # nothing without a GPU


if __name__ == "__main__":
    main()
