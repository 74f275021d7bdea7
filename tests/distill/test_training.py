from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from codewren_distill.batches import LengthBuckets
from codewren_distill.classifier import Classifier
from codewren_distill.labelling import label_examples
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_distill.soft_labels import SoftLabels
from codewren_distill.student import build_student
from codewren_distill.token_dropout import TokenDropout
from codewren_distill.train import distill, finetune
from codewren_distill.training import LOG, STATE, Progress
from codewren_runtime.errors import DataError, ModelError
from codewren_runtime.tokenizer import SPECIAL_TOKENS, CodeTokenizer
from codewren_runtime.types import Architecture, Example, Task

SETTINGS = TrainingSettings(epochs=6, batch_size=8, learning_rate=5e-3, checkpoint_seconds=0)


class KilledError(Exception):
    pass


def _killer(at: int) -> object:
    def report(progress: Progress) -> None:
        if progress.step == at:
            raise KilledError

    return report


def test_every_parameter_trains(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in single.model.named_parameters()}
    finetune(single, single_examples, SETTINGS, tmp_path, identity="a")
    # The key bias alone has no gradient: softmax ignores a shift common to all keys.
    still = [n for n, v in single.model.named_parameters() if torch.equal(v, before[n])]
    assert all(name.endswith("key.bias") for name in still), still


def test_training_learns_and_its_log_is_whole(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    # Twice the others' epochs: after 6 some seeds still say the commoner label of everything.
    finetune(single, single_examples, replace(SETTINGS, epochs=12), tmp_path, identity="a")
    labels = np.array([example.label for example in single_examples])
    assert (logits_of(single, single_examples).argmax(1) == labels).mean() > 0.9
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, lines[-1]["steps"] + 1))


def test_a_model_that_has_trained_is_placed_where_it_trains_again(
    single: Classifier,
    single_examples: list[Example],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A GPU holds it while it trains alone: the second time it must be brought there anew."""
    placed: list[object] = []
    to = torch.nn.Module.to

    def noted(module: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:
        placed.append(module)
        return to(module, *args, **kwargs)

    monkeypatch.setattr(torch.nn.Module, "to", noted)
    settings = replace(SETTINGS, epochs=1)
    for name in ("first", "second"):
        placed.clear()
        finetune(single, single_examples[:8], settings, tmp_path / name, identity="a")
        assert any(module is single.model for module in placed)


REGULARISED = replace(SETTINGS, ema=0.9, token_dropout=0.1)


@pytest.mark.parametrize("settings", [SETTINGS, REGULARISED], ids=["plain", "regularised"])
@pytest.mark.parametrize("at", [1, 15, 40])
def test_a_killed_run_ends_with_the_same_weights(
    settings: TrainingSettings,
    at: int,
    single_task: Task,
    tokenizer_json: str,
    single_examples: list[Example],
    tmp_path: Path,
) -> None:
    shape = Architecture(300, 16, 1, 2, 16, 32)

    def fresh() -> Classifier:
        return build_student(shape, single_task, tokenizer_json, seed=3, fresh=FreshStudent(0.1))

    whole = fresh()
    finetune(whole, single_examples, settings, tmp_path / "whole", identity="a")
    with pytest.raises(KilledError):
        finetune(
            fresh(),
            single_examples,
            settings,
            tmp_path / "cut",
            identity="a",
            report=_killer(at),  # type: ignore[arg-type]
        )
    resumed = fresh()
    steps: list[int] = []
    finetune(
        resumed,
        single_examples,
        settings,
        tmp_path / "cut",
        identity="a",
        report=lambda progress: steps.append(progress.step),
    )
    assert steps[0] == at  # the killed step was not stored, all before it were
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    one, other = ((tmp_path / n / LOG).read_text() for n in ("whole", "cut"))
    assert one == other


def test_a_moving_average_is_kept_in_the_end(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    first = {name: value.clone() for name, value in single.model.state_dict().items()}
    still = replace(SETTINGS, ema=0.9999999, epochs=1)
    finetune(single, single_examples, still, tmp_path, identity="a")
    for name, value in single.model.state_dict().items():
        if value.is_floating_point():
            # The first update of an average is a copy; nothing after it moves so slow a one.
            assert (value - first[name]).abs().max() < 1.1 * SETTINGS.learning_rate, name


def test_hidden_tokens_are_a_share_of_the_ordinary_ones(tokenizer_json: str) -> None:
    tokenizer = CodeTokenizer(tokenizer_json, 400, "structure")
    ids = torch.randint(0, 300, (200, 400))
    torch.manual_seed(0)
    seen = TokenDropout(0.15, tokenizer)(ids)
    special, changed = ids < len(SPECIAL_TOKENS), seen != ids
    assert not (changed & special).any()
    assert set(seen[changed].tolist()) == {SPECIAL_TOKENS.index("<mask>")}
    shares = changed.sum(1) / (~special).sum(1)
    assert 0.13 < shares.mean() < 0.17
    assert shares.min() < 0.05
    assert 0.25 < shares.max() < 0.4


def test_a_state_of_another_run_is_not_resumed(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    finetune(single, single_examples, SETTINGS, tmp_path, identity="a")
    steps: list[int] = []
    finetune(
        single,
        single_examples,
        SETTINGS,
        tmp_path,
        identity="b",
        report=lambda progress: steps.append(progress.step),
    )
    assert steps[0] == 1


def test_a_damaged_state_starts_again(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    (tmp_path / STATE).parent.mkdir()
    (tmp_path / STATE).write_bytes(b"\x00" * 100)
    finetune(single, single_examples, SETTINGS, tmp_path, identity="a")
    assert (tmp_path / "model.safetensors").is_file()


def test_distillation_follows_the_teacher(
    single: Classifier,
    single_task: Task,
    tokenizer_json: str,
    single_examples: list[Example],
    tmp_path: Path,
) -> None:
    finetune(single, single_examples, SETTINGS, tmp_path / "teacher", identity="a")
    unlabelled = [Example(example.text) for example in single_examples]
    soft = label_examples(single, "t", unlabelled, tmp_path / "soft.safetensors")
    for kind in ("kl", "mse"):
        student = build_student(Architecture(300, 16, 1, 2, 16, 32), single_task, tokenizer_json, 5)
        distill(
            student,
            unlabelled,
            soft,
            SETTINGS,
            tmp_path / kind,
            loss=kind,
            temperature=4.0,
            identity="a",
        )
        agree = logits_of(student, unlabelled).argmax(1) == soft.matrix(unlabelled).argmax(1)
        assert agree.mean() > 0.9


def test_labelling_goes_on_where_it_was(
    pair: Classifier, pair_examples: list[Example], tmp_path: Path
) -> None:
    path, done = tmp_path / "soft.safetensors", 0
    repeated = len(pair_examples) - len(set(pair_examples))  # labelled once, and counted at once

    def stop(count: int) -> None:
        nonlocal done
        done += count
        if done > repeated + 64:
            raise KilledError

    with pytest.raises(KilledError):
        label_examples(pair, "t", pair_examples, path, checkpoint_seconds=0, advance=stop)
    kept = len(SoftLabels.load(path).logits)
    assert 0 < kept < len(set(pair_examples))
    label_examples(pair, "t", pair_examples, path)
    whole = label_examples(pair, "t", pair_examples, tmp_path / "whole.safetensors")
    resumed = SoftLabels.load(path)
    assert (resumed.matrix(pair_examples) == whole.matrix(pair_examples)).all()
    other = label_examples(pair, "another teacher", pair_examples[:8], path)
    assert len(other.logits) <= 8


def test_soft_labels_for_other_rows_are_refused(
    pair: Classifier, pair_examples: list[Example], tmp_path: Path
) -> None:
    soft = label_examples(pair, "t", pair_examples[:8], tmp_path / "soft.safetensors")
    with pytest.raises(DataError, match="other rows"):
        soft.matrix(pair_examples)
    (tmp_path / "soft.safetensors").write_bytes(b"x")
    with pytest.raises(DataError, match="damaged"):
        SoftLabels.load(tmp_path / "soft.safetensors")


def test_a_loss_that_is_no_number_ends_in_one_line(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    with torch.no_grad():
        next(single.model.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="at step 1; the weights that training starts"):
        finetune(single, single_examples, SETTINGS, tmp_path, identity="a")
    with pytest.raises(ModelError, match="not numbers"):
        logits_of(single, single_examples)


def test_buckets_hold_every_row_once_and_resume_inside_an_epoch() -> None:
    lengths = [i * 7 % 50 + 1 for i in range(333)]
    whole = list(LengthBuckets(lengths, 16, seed=1, epoch=2))
    assert sorted(row for batch in whole for row in batch) == list(range(333))
    assert list(LengthBuckets(lengths, 16, seed=1, epoch=2, start=5)) == whole[5:]
    assert list(LengthBuckets(lengths, 16, seed=1, epoch=3)) != whole
    spread = [max(lengths[r] for r in b) - min(lengths[r] for r in b) for b in whole]
    assert sorted(spread)[len(spread) // 2] <= 5


def test_an_infinite_gradient_spoils_nothing(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    """Its loss is finite, and the weights after its step would not be."""
    parameter = next(p for p in single.model.parameters() if p.ndim > 1)

    def report(progress: Progress) -> None:
        if progress.step == 3:
            parameter.register_hook(lambda gradient: gradient * float("inf"))

    with pytest.raises(ModelError, match=r"norm of the gradients is (nan|inf) at step 4"):
        finetune(single, single_examples, SETTINGS, tmp_path, identity="a", report=report)
    with safe_open(tmp_path / STATE, framework="pt") as state:
        assert all(torch.isfinite(state.get_tensor(name)).all() for name in state.keys())  # noqa: SIM118
