from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from codewren_distill.classifier import CARD, Classifier, load_classifier, save_classifier
from codewren_distill.scoring import logits_of
from codewren_runtime.errors import DataError, ModelError
from codewren_runtime.types import Example


def test_a_saved_classifier_answers_as_before(
    single: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    before = logits_of(single, single_examples)
    save_classifier(single, tmp_path / "a b")
    assert (logits_of(load_classifier(tmp_path / "a b"), single_examples) == before).all()


def test_transformers_loads_the_student(
    single: Classifier, pair: Classifier, single_examples: list[Example], tmp_path: Path
) -> None:
    save_classifier(single, tmp_path / "single")
    save_classifier(pair, tmp_path / "pair")
    model, info = AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "single", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "single")
    text = single_examples[0].text
    batch = tokenizer(text, return_tensors="pt")
    assert batch["input_ids"][0].tolist() == list(single.text.encode(Example(text))[0])
    with torch.no_grad():
        theirs = model.eval()(**batch).logits[0]
    assert torch.allclose(theirs, torch.tensor(logits_of(single, [Example(text)])[0]), atol=1e-5)
    encoder = AutoModel.from_pretrained(tmp_path / "pair", add_pooling_layer=False)
    for name, value in pair.core.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[name])


def test_a_pair_and_its_mirror_score_the_same(
    pair: Classifier, pair_examples: list[Example]
) -> None:
    mirrored = [Example(e.text2 or "", e.text) for e in pair_examples]
    gap = logits_of(pair, pair_examples) - logits_of(pair, mirrored)
    assert abs(gap).max() < 1e-5


def test_padding_and_batches_do_not_change_an_answer(
    pair: Classifier, pair_examples: list[Example]
) -> None:
    together = logits_of(pair, pair_examples)
    alone = [logits_of(pair, [example])[0] for example in pair_examples[:10]]
    assert abs(together[:10] - alone).max() < 1e-4


@pytest.mark.parametrize(
    "name", [CARD, "model.safetensors", "pair_head.safetensors", "tokenizer.json"]
)
def test_a_damaged_folder_is_one_clear_line(pair: Classifier, tmp_path: Path, name: str) -> None:
    save_classifier(pair, tmp_path)
    (tmp_path / name).write_bytes(b"not what it was")
    with pytest.raises(Exception, match=r"\w") as caught:
        load_classifier(tmp_path)
    assert isinstance(caught.value, Exception)
    assert type(caught.value).__module__ == "codewren_runtime.errors"
    assert "\n" not in str(caught.value).strip()


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="finetune or distill"):
        load_classifier(tmp_path)


def test_data_of_the_other_kind_is_refused(
    single: Classifier,
    pair: Classifier,
    single_examples: list[Example],
    pair_examples: list[Example],
) -> None:
    with pytest.raises(DataError, match="reads single texts"):
        logits_of(single, pair_examples)
    with pytest.raises(DataError, match="reads pairs"):
        logits_of(pair, single_examples)


def test_a_card_without_its_fields_is_refused(pair: Classifier, tmp_path: Path) -> None:
    save_classifier(pair, tmp_path)
    (tmp_path / CARD).write_text('{"schema": 1}')
    with pytest.raises(ModelError, match="damaged"):
        load_classifier(tmp_path)


def test_a_text_in_many_pairs_is_encoded_once_and_answers_as_in_each(
    pair: Classifier, pair_examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = pair_examples[:6]
    crossed = [Example(a.text, b.text2) for a in some for b in some]
    with torch.inference_mode():
        pair.model.eval()
        rows = [pair.text.encode(example) for example in crossed]
        expected = [pair.model(**pair.text.collate([row])).numpy()[0] for row in rows]
    encoded, embed = 0, pair.model.embed  # type: ignore[operator]

    def counting(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        nonlocal encoded
        encoded += len(input_ids)
        return embed(input_ids, attention_mask)  # type: ignore[no-any-return]

    monkeypatch.setattr(pair.model, "embed", counting)
    found = logits_of(pair, crossed)
    assert abs(found - expected).max() < 1e-5
    assert encoded == len({text for example in crossed for text in example.texts})
