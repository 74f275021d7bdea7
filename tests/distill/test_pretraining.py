from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codewren_distill.masked import NO_KIND, Masked, MaskedTokens, build_masked
from codewren_distill.pretraining import HeldOut, pretrain, start_from
from codewren_distill.settings import TrainingSettings
from codewren_distill.student import build_student
from codewren_distill.token_kinds import kinds_of_tokens
from codewren_distill.training import LOG, Progress
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.errors import ModelError, OptionError
from codewren_runtime.tokenizer import MASK, SPECIAL_TOKENS, CodeTokenizer
from codewren_runtime.types import Architecture, Normalisation, Task

SETTINGS = TrainingSettings(epochs=4, batch_size=8, learning_rate=5e-3, checkpoint_seconds=0)
TEXTS = [f"for i in z: x = {i} return y" for i in range(80)]
HELD_OUT = [f"for i in z: x = {i} return y" for i in range(80, 100)]


class KilledError(Exception):
    pass


def _vowels(text: str) -> list[int]:
    return [int(character in "aeiou") if not character.isspace() else NO_KIND for character in text]


def _fresh(shape: Architecture, task: Task, tokenizer_json: str, *, kinds: int = 0) -> Masked:
    return build_masked(shape, task, tokenizer_json, seed=2, dropout=0.1, kinds=kinds)


def _train(masked: Masked, folder: Path, *, kinds: bool = False, **options: object) -> HeldOut:
    tokenizer = masked.text.tokenizer
    assert isinstance(tokenizer, CodeTokenizer)
    return pretrain(
        masked,
        TEXTS,
        HELD_OUT,
        options.pop("settings", SETTINGS),  # type: ignore[arg-type]
        folder,
        share=0.15,
        identity="a",
        kinds=kinds_of_tokens(tokenizer, _vowels) if kinds else None,
        **options,  # type: ignore[arg-type]
    )


def test_the_tokens_around_tell_the_hidden_one(
    shape: Architecture, single_task: Task, tokenizer_json: str, tmp_path: Path
) -> None:
    few, many = (
        _train(_fresh(shape, single_task, tokenizer_json), tmp_path / str(epochs),
               settings=replace(SETTINGS, epochs=epochs))
        for epochs in (1, 10)
    )  # fmt: skip
    assert many.loss < few.loss
    assert many.accuracy > 3 * many.commonest > 0
    assert many.kind_accuracy is None


def test_kinds_are_learnt_beside_the_tokens(
    shape: Architecture, single_task: Task, tokenizer_json: str, tmp_path: Path
) -> None:
    masked = _fresh(shape, single_task, tokenizer_json, kinds=2)
    measured = _train(masked, tmp_path, kinds=True, settings=replace(SETTINGS, epochs=6))
    assert measured.kind_accuracy is not None
    assert measured.kind_accuracy > 0.9
    assert not any("kinds" in name for name in masked.core.state_dict())


@pytest.mark.parametrize("kinds", [False, True], ids=["tokens", "tokens and kinds"])
@pytest.mark.parametrize("at", [3, 25])
def test_a_killed_pretraining_ends_with_the_same_weights(
    *, kinds: bool, at: int, single_task: Task, tokenizer_json: str, tmp_path: Path
) -> None:
    shape = Architecture(300, 16, 1, 2, 16, 32)

    def fresh() -> Masked:
        return _fresh(shape, single_task, tokenizer_json, kinds=2 * kinds)

    def stop(progress: Progress) -> None:
        if progress.step == at:
            raise KilledError

    whole, resumed = fresh(), fresh()
    measured = _train(whole, tmp_path / "whole", kinds=kinds)
    with pytest.raises(KilledError):
        _train(fresh(), tmp_path / "cut", kinds=kinds, report=stop)
    again = _train(resumed, tmp_path / "cut", kinds=kinds)
    assert replace(again, seconds=0) == replace(measured, seconds=0)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    assert (tmp_path / "whole" / LOG).read_text() == (tmp_path / "cut" / LOG).read_text()


@pytest.mark.parametrize("task", ["single_task", "pair_task"])
def test_a_student_starts_from_the_pretrained_encoder(
    task: str,
    shape: Architecture,
    tokenizer_json: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    wanted = request.getfixturevalue(task)
    masked = _fresh(shape, wanted, tokenizer_json)
    _train(masked, tmp_path, settings=replace(SETTINGS, epochs=1))
    student = build_student(shape, wanted, tokenizer_json, seed=9)
    start_from(student, tmp_path)
    ours, theirs = (core.base_model.state_dict() for core in (student.core, masked.core))
    assert theirs.keys() <= ours.keys()
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    for other in (replace(shape, num_layers=4), replace(shape, intermediate_size=24)):
        with pytest.raises(OptionError, match="another architecture"):
            start_from(build_student(other, wanted, tokenizer_json, seed=9), tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError):
        start_from(student, tmp_path)


def test_of_the_chosen_tokens_most_are_masked_and_some_stay(
    single_task: Task, tokenizer_json: str
) -> None:
    seen: list[torch.Tensor] = []

    class Model(torch.nn.Module):
        def forward(self, **batch: torch.Tensor) -> tuple[torch.Tensor, None]:
            seen.extend([batch["input_ids"], batch["chosen"]])
            return torch.zeros(int(batch["chosen"].sum()), 300), None

    torch.manual_seed(0)
    ids = torch.randint(0, 300, (200, 400))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    objective = MaskedTokens(CodeTokenizer(tokenizer_json, 400, "structure"), 0.15)
    loss = objective(Model(), batch, torch.arange(200))
    assert loss.item() == pytest.approx(torch.log(torch.tensor(300.0)).item(), rel=1e-5)
    shown, chosen = seen
    special = ids < len(SPECIAL_TOKENS)
    assert not (chosen & special).any()
    assert chosen.sum() / (~special).sum() == pytest.approx(0.15, abs=0.01)
    mask = SPECIAL_TOKENS.index(MASK)
    assert (shown[chosen] == mask).float().mean() == pytest.approx(0.8, abs=0.02)
    assert (shown[chosen] == ids[chosen]).float().mean() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(shown[~chosen], ids[~chosen])


def test_a_batch_without_a_chosen_token_has_a_loss(single_task: Task, tokenizer_json: str) -> None:
    masked = _fresh(Architecture(300, 16, 1, 2, 16, 32), single_task, tokenizer_json)
    batch = masked.text.collate([((0, 2),)])
    loss = MaskedTokens(CodeTokenizer(tokenizer_json, 32, "structure"), 0.15)(
        masked.model, batch, torch.arange(1)
    )
    loss.backward()
    assert loss.item() == 0


CODE = st.text(st.sampled_from("abzABZ_(){};., \t\n=+09\"'é"), max_size=60)


@given(text=CODE, normalisation=st.sampled_from(["structure", "published", "words", "raw"]))
def test_a_token_has_the_kind_of_its_first_visible_character(
    text: str, normalisation: Normalisation
) -> None:
    """Each character is given its own place as its kind: tokens then say where they are from."""
    tokenizer = CodeTokenizer(TOKENIZER, 32, normalisation)
    kinds = kinds_of_tokens(tokenizer, lambda text: range(len(text)))(text)
    ids = tokenizer.encode(text)
    assert len(kinds) == len(ids)
    tokens = json.loads(TOKENIZER)["model"]["vocab"]
    spelt = {number: token for token, number in tokens.items()}
    places = [place for place in kinds if place != NO_KIND]
    assert places == sorted(places)
    for token, place in zip(ids, kinds, strict=True):
        # Byte-level BPE spells a blank and a line's end so.
        first = spelt[token].replace("Ġ", "").replace("Ċ", "")[:1]
        if token < len(SPECIAL_TOKENS) or not first:
            assert place == NO_KIND
        elif first.isascii():
            assert text[place].lower() == first.lower()


TOKENIZER = train_tokenizer(["abz ABZ = 09", "a_b(0);\n  é"] * 3, 280, "raw")


def test_a_text_that_cannot_be_laid_beside_its_form_has_no_kinds() -> None:
    tokenizer = CodeTokenizer(TOKENIZER, 32, "published")
    kinds = kinds_of_tokens(tokenizer, lambda text: [0] * len(text))("a İ b")
    assert set(kinds) == {NO_KIND}
