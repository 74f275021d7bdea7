"""Memory or disk that does not suffice."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from codewren_distill import training
from codewren_distill.batches import row_length
from codewren_distill.classifier import Classifier
from codewren_distill.labelling import label_examples
from codewren_distill.objectives import Answers
from codewren_distill.parts import in_parts, is_out_of_memory
from codewren_distill.scoring import encode_all
from codewren_distill.settings import TrainingSettings
from codewren_distill.text_side import Batch
from codewren_distill.train import finetune
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.types import Example

SETTINGS = TrainingSettings(epochs=1, batch_size=8, learning_rate=5e-3)


class Cramped(Answers):
    """Refuses batches above so many rows, after half of the work, as an allocator would."""

    most = 3

    def __call__(self, model: Any, batch: Batch, target: Tensor) -> Tensor:
        value = Answers.__call__(self, model, batch, target)
        if len(target) > self.most:
            value.backward()  # type: ignore[no-untyped-call]
            raise torch.OutOfMemoryError("out of memory")
        return value


@pytest.mark.parametrize("kind", ["single", "pair"])
def test_parts_train_as_the_whole(
    kind: str,
    single: Classifier,
    pair: Classifier,
    single_examples: list[Example],
    pair_examples: list[Example],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    both = {"single": (single, single_examples), "pair": (pair, pair_examples)}
    classifier, examples = both[kind]
    start = {name: value.clone() for name, value in classifier.model.state_dict().items()}
    finetune(classifier, examples, SETTINGS, tmp_path / "whole", identity="a")
    whole = {name: value.clone() for name, value in classifier.model.state_dict().items()}
    classifier.model.load_state_dict(start)
    monkeypatch.setattr("codewren_distill.train.Answers", Cramped)
    seen: list[int] = []
    finetune(classifier, examples, SETTINGS, tmp_path / "parts", identity="a",
             report=lambda progress: seen.append(progress.parts))  # fmt: skip
    assert set(seen) == {4}
    losses = [
        [
            json.loads(line)["loss"]
            for line in (tmp_path / name / "log.jsonl").read_text().splitlines()
        ]
        for name in ("whole", "parts")
    ]
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-3)  # of the same weights
    assert losses[0] == pytest.approx(losses[1], rel=5e-2)  # bf16 sums in another order
    moved = sum(float((whole[n] - v).square().sum()) for n, v in start.items())
    apart = sum(
        float((whole[n] - v).square().sum()) for n, v in classifier.model.state_dict().items()
    )
    assert apart < 0.01 * moved  # rounding, which Adam's first steps magnify


def test_one_row_that_does_not_fit_is_one_line(
    single: Classifier,
    single_examples: list[Example],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("codewren_distill.train.Answers", Cramped)
    monkeypatch.setattr(Cramped, "most", 0)
    with pytest.raises(ModelError, match="one row"):
        finetune(single, single_examples, SETTINGS, tmp_path, identity="a")


@pytest.mark.parametrize("parts", [1, 2, 4, 64])
def test_parts_hold_every_row_once_with_both_its_texts(
    parts: int, pair: Classifier, pair_examples: list[Example]
) -> None:
    encoded = sorted(encode_all(pair, pair_examples[:10]), key=row_length)
    batch, target = pair.text.collate(encoded), torch.arange(10)
    found = list(in_parts(batch, target, parts))
    assert torch.cat([rows for _, rows, _ in found]).equal(target)
    assert sum(share for *_, share in found) == pytest.approx(1)
    for part, rows, _ in found:
        for name, value in part.items():
            assert value.equal(batch[name][torch.cat((rows, rows + 10))])


def test_what_counts_as_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))
    assert not is_out_of_memory(RuntimeError("shapes disagree"))


def test_a_teacher_whose_logits_are_no_numbers_is_refused(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    with torch.no_grad():
        next(single.model.parameters()).fill_(float("nan"))
    single.name = "runs/one"
    with pytest.raises(ModelError, match="runs/one: the answers are not numbers"):
        label_examples(single, "t", single_examples, tmp_path / "soft.safetensors")
    assert not (tmp_path / "soft.safetensors").exists()


FULL_DISK = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from codewren_distill.settings import TrainingSettings
from codewren_distill.student import build_student
from codewren_distill.train import finetune
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.errors import CodewrenError
from codewren_runtime.types import Architecture, Example, Task

folder, limit = Path(sys.argv[1]), int(sys.argv[2])
examples = [Example(f"x = {n} alpha beta {n % 7}", label=n % 2) for n in range(64)]
tokenizer = train_tokenizer([e.text for e in examples], 300, "structure")
task = Task("t", "single", ("a", "b"))
student = build_student(Architecture(300, 16, 1, 2, 16, 32), task, tokenizer, 0)
steps = []

def report(progress):
    steps.append(progress.step)
    if progress.step == 6 and limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

settings = TrainingSettings(epochs=2, batch_size=8, checkpoint_seconds=0)
try:
    finetune(student, examples, settings, folder, identity="a", report=report)
except CodewrenError as error:
    print(error, file=sys.stderr)
    raise SystemExit(2)
print(steps[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size there")
def test_a_full_disk_is_one_line_and_the_training_goes_on(tmp_path: Path) -> None:
    def run(limit: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(limit)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    full = run(10_000)  # bytes; a checkpoint takes some 100,000
    assert full.returncode == 2, full.stderr
    assert full.stderr.count("\n") == 1, full.stderr
    assert "cannot be written" in full.stderr
    again = run(0)
    assert again.returncode == 0, again.stderr
    assert int(again.stdout) == 6  # the step whose state could not be kept


def test_a_log_that_cannot_grow_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").mkdir()
    log = training._Log.__new__(training._Log)
    log.path = tmp_path / "log.jsonl"
    with pytest.raises(OptionError, match="cannot be written"):
        log.write(training.Progress(1, 2, 1, 0.5, 0.1))


def test_accumulated_gradients_are_those_of_the_whole_batch(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    """In as many passes as asked for, and without a word of memory."""
    start = {name: value.clone() for name, value in single.model.state_dict().items()}
    losses, seen, rows = [], [], []
    for parts in (1, 3):
        single.model.load_state_dict(start)
        hook = single.model.register_forward_pre_hook(
            lambda _, __, batch, to=rows: to.append(len(batch["input_ids"])), with_kwargs=True
        )
        finetune(
            single,
            single_examples,
            replace(SETTINGS, accumulation=parts),
            tmp_path / str(parts),
            identity="a",
            report=lambda progress: seen.append(progress.parts),
        )
        hook.remove()
        log = (tmp_path / str(parts) / "log.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in log])
    assert set(seen) == {1}
    assert sorted(set(rows)) == [2, 3, 8]
    assert losses[0] == pytest.approx(losses[1], rel=5e-2)
