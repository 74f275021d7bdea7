"""Checkpoints of each architecture, tiny and made from scratch, through finetune and label."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from codewren.verbs.finetune import ModelSource
from codewren_distill.checkpoints import load_tokenizer
from codewren_distill.classifier import Classifier, load_classifier, save_classifier
from codewren_distill.labelling import label_examples
from codewren_distill.memory import texts_of
from codewren_distill.models import SiameseModel
from codewren_distill.pair_heads import SharedHead
from codewren_distill.scoring import logits_of
from codewren_distill.settings import FreshStudent, Supervision, TrainingSettings
from codewren_distill.states import record_states
from codewren_distill.teachers import classifier_hash, load_teacher, new_from_checkpoint
from codewren_distill.text_side import CrossText
from codewren_distill.train import finetune
from codewren_runtime.errors import CodewrenError, MissingExtraError, ModelError, OptionError
from codewren_runtime.types import Example, Task

ONCE = TrainingSettings(epochs=1, batch_size=32, learning_rate=1e-3)
COMMON = {
    "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 16, "max_position_embeddings": 40, "pad_token_id": 1, "bos_token_id": 0,
    "eos_token_id": 2, "sep_token_id": 2, "cls_token_id": 0,
    "initializer_range": 0.2,  # with the 0.02 of real sizes one this small says the same of all
}  # fmt: skip
T5 = {"d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 16, "vocab_size": 300,
      "pad_token_id": 1, "decoder_start_token_id": 1}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "roberta": COMMON,
    "bert": COMMON,
    "modernbert": COMMON | {"reference_compile": False},
    "electra": COMMON | {"embedding_size": 16},
    "deberta-v2": COMMON,
    "t5": T5,
}


def _tokenizer(folder: Path, text: str, **special: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "raw.json").write_text(text)
    made = PreTrainedTokenizerFast(tokenizer_file=str(folder / "raw.json"), **special)
    (folder / "raw.json").unlink()
    made.save_pretrained(folder)


def _checkpoint(kind: str, folder: Path, tokenizer_json: str) -> str:
    config = transformers.AutoConfig.for_model(kind, **CONFIGS[kind])
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    _tokenizer(folder, tokenizer_json, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
               unk_token="<unk>", cls_token="<s>", sep_token="</s>")  # fmt: skip
    return str(folder)


def _through(name: str, task: Task, encoding: str, rows: list[Example], folder: Path) -> np.ndarray:
    """Finetune into a folder; the logits of what the folder holds, by label's own code."""
    model = new_from_checkpoint(name, task, 32, encoding, 0)  # type: ignore[arg-type]
    finetune(model, rows, ONCE, folder, identity="a", supervision=Supervision(freeze_layers=1))
    teacher = load_teacher(str(folder), task, 32)
    soft = label_examples(teacher, "t", rows, folder / "soft.safetensors").matrix(rows)
    assert soft == pytest.approx(logits_of(model, rows), abs=1e-5)
    assert (soft.std(0) > 1e-4).all()
    _states(teacher, texts_of(rows)[:8], folder / "states.safetensors")
    return soft


def _states(teacher: Classifier, texts: list[str], path: Path) -> None:
    """What its layers make of texts can be kept, unless it reads two of them at once."""
    if isinstance(teacher.text, CrossText):
        with pytest.raises(OptionError, match="siamese"):
            record_states(teacher, "t", texts, 3, path)
        return
    found = record_states(teacher, "t", texts, 3, path)
    assert found.layers == (1, 2)
    assert found.table(texts).shape == (8, 2, 16)
    assert (found.table(texts).std((0, 2)) > 1e-4).all()


def test_a_checkpoint_in_half_precision_trains_in_full(
    single_task: Task, tokenizer_json: str, tmp_path: Path
) -> None:
    name = _checkpoint("roberta", tmp_path / "half", tokenizer_json)
    AutoModel.from_pretrained(name).half().save_pretrained(name)
    model = new_from_checkpoint(name, single_task, 32, "siamese", 0)
    assert {weight.dtype for weight in model.model.parameters()} == {torch.float32}


@pytest.mark.filterwarnings("ignore:`torch.jit.script")  # by ModernBERT, DeBERTa
@pytest.mark.parametrize("kind", CONFIGS)
def test_every_architecture_goes_through_finetune_and_label(
    kind: str,
    single_task: Task,
    pair_task: Task,
    tokenizer_json: str,
    single_examples: list[Example],
    pair_examples: list[Example],
    tmp_path: Path,
) -> None:
    name = _checkpoint(kind, tmp_path / "base", tokenizer_json)
    _through(name, single_task, "siamese", single_examples[:40], tmp_path / "single")
    for encoding in ("siamese", "cross"):
        _through(name, pair_task, encoding, pair_examples[40:80], tmp_path / encoding)


def test_a_checkpoint_has_the_pair_head_that_is_asked_for(
    roberta: Path, single_task: Task, pair_task: Task, pair_examples: list[Example], tmp_path: Path
) -> None:
    name, rows = str(roberta), pair_examples[:40]
    model = new_from_checkpoint(name, pair_task, 32, "siamese", 0, pair_head="shared")
    finetune(model, rows, ONCE, tmp_path / "made", identity="a")
    loaded = load_teacher(str(tmp_path / "made"), pair_task, 32)
    assert isinstance(loaded.model, SiameseModel)
    assert isinstance(loaded.model.head, SharedHead)
    assert logits_of(loaded, rows) == pytest.approx(logits_of(model, rows), abs=1e-5)
    for task, encoding in ((single_task, "siamese"), (pair_task, "cross")):
        with pytest.raises(OptionError, match="pair head shared"):
            new_from_checkpoint(name, task, 32, encoding, 0, pair_head="shared")  # type: ignore[arg-type]
    for fresh in (FreshStudent(ngrams=64), FreshStudent(embeddings="cooccurrence")):
        with pytest.raises(OptionError, match="for an architecture"):
            ModelSource(checkpoint=name, fresh=fresh)


@pytest.fixture
def roberta(tokenizer_json: str, tmp_path: Path) -> Path:
    return Path(_checkpoint("roberta", tmp_path / "roberta", tokenizer_json))


def test_weights_that_are_a_pickle_give_their_tensors_and_run_nothing(
    roberta: Path, single_task: Task, single_examples: list[Example], tmp_path: Path
) -> None:
    before = logits_of(new_from_checkpoint(str(roberta), single_task, 32, "siamese", 0),
                       single_examples[:4])  # fmt: skip
    hashed = classifier_hash(str(roberta))
    state = AutoModel.from_pretrained(roberta).state_dict()
    (roberta / "model.safetensors").unlink()
    torch.save(state, roberta / "pytorch_model.bin")
    again = new_from_checkpoint(str(roberta), single_task, 32, "siamese", 0)
    assert np.array_equal(logits_of(again, single_examples[:4]), before)
    assert classifier_hash(str(roberta)) != hashed

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    (roberta / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ModelError, match="not a model that transformers can load"):
        new_from_checkpoint(str(roberta), single_task, 32, "siamese", 0)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_wants_its_own_code_is_refused(roberta: Path, single_task: Task) -> None:
    path = roberta / "config.json"
    config = json.loads(path.read_text()) | {"model_type": "own"}
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    path.write_text(json.dumps(config))
    (roberta / "own.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError) as caught:
        new_from_checkpoint(str(roberta), single_task, 32, "siamese", 0)
    assert len(str(caught.value).splitlines()) == 1


def test_without_a_pad_token_another_pads(tokenizer_json: str, tmp_path: Path) -> None:
    for name, special, pad in (
        ("eos", {"eos_token": "</s>"}, 2),
        ("unk", {"unk_token": "<unk>"}, 3),
    ):
        _tokenizer(tmp_path / name, tokenizer_json, **special)
        assert load_tokenizer(str(tmp_path / name), 32).pad_id == pad
    _tokenizer(tmp_path / "none", tokenizer_json)
    with pytest.raises(ModelError, match="set pad_token in tokenizer_config"):
        load_tokenizer(str(tmp_path / "none"), 32)


def test_another_encoder_with_a_decoder_is_refused(
    single_task: Task, tokenizer_json: str, tmp_path: Path
) -> None:
    config = transformers.BartConfig(vocab_size=300, d_model=16)
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is a bart, an encoder and a decoder"):
        new_from_checkpoint(str(tmp_path), single_task, 32, "siamese", 0)


def test_a_folder_is_written_and_read_without_a_word(
    single: Classifier, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_classifier(single, tmp_path)
    load_classifier(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_an_adapter_is_merged_into_its_base(
    roberta: Path,
    single_task: Task,
    single_examples: list[Example],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peft = pytest.importorskip("peft")
    base = AutoModelForSequenceClassification.from_pretrained(roberta, num_labels=2)
    config = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"],
                             init_lora_weights=False)  # fmt: skip
    adapted = peft.get_peft_model(base, config).eval()
    adapted.save_pretrained(tmp_path / "adapter")
    teacher = load_teacher(str(tmp_path / "adapter"), single_task, 32)
    rows = [teacher.text.encode(example) for example in single_examples[:8]]
    with torch.no_grad():
        wanted = adapted(**teacher.text.collate(rows)).logits.numpy()
    assert logits_of(teacher, single_examples[:8]) == pytest.approx(wanted, abs=1e-5)
    new = new_from_checkpoint(str(tmp_path / "adapter"), single_task, 32, "siamese", 0)
    finetune(new, single_examples[:32], ONCE, tmp_path / "made", identity="a")
    assert load_classifier(tmp_path / "made").parameters == teacher.parameters
    one = classifier_hash(str(tmp_path / "adapter"))
    (roberta / "vocab.txt").write_text("another base")
    assert classifier_hash(str(tmp_path / "adapter")) != one
    monkeypatch.setattr("codewren_distill.checkpoints.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'codewren\[peft\]'"):
        load_teacher(str(tmp_path / "adapter"), single_task, 32)
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"without adapter_model\.safetensors"):
        load_teacher(str(tmp_path / "adapter"), single_task, 32)
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    with pytest.raises(CodewrenError, match="names no base"):
        load_teacher(str(tmp_path / "adapter"), single_task, 32)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            ["b", "a"],
            r"answers \['b', 'a'\] in this order, the task \['a', 'b'\]; give --labels in",
        ),
        (["a", "other"], "in this order"),
        (["x", "y", "z"], "answers 3 labels, the task has 2; name the teacher's own with --labels"),
    ],
)
def test_a_teacher_that_disagrees_in_labels_is_refused(
    tokenizer_json: str, tmp_path: Path, names: list[str], says: str
) -> None:
    name = _checkpoint("roberta", tmp_path / "c", tokenizer_json)
    labels = {"id2label": dict(enumerate(names)), "label2id": {n: i for i, n in enumerate(names)}}
    config = transformers.AutoConfig.for_model("roberta", **COMMON, **labels)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "c")
    with pytest.raises(ModelError, match=says):
        load_teacher(name, Task("t", "single", ("a", "b")), 32)
    if len(names) == 2:  # names that are none of the task's tell nothing of their order
        load_teacher(name, Task("t", "single", ("no", "yes")), 32)
        load_teacher(name, Task("t", "single", tuple(names)), 32)


def test_a_token_that_the_model_does_not_know_is_told(tokenizer_json: str, tmp_path: Path) -> None:
    name = _checkpoint("roberta", tmp_path / "c", tokenizer_json)
    config = transformers.AutoConfig.for_model("roberta", **COMMON | {"vocab_size": 100})
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path / "c")
    teacher = load_teacher(name, Task("t", "single", ("a", "b")), 32)
    with pytest.raises(ModelError, match=r"gives token \d+, the model knows 100; put"):
        logits_of(teacher, [Example("int main(void) { return strlen(name); }")])
    _tokenizer(tmp_path / "c", tokenizer_json, pad_token="<padding of another>")
    with pytest.raises(ModelError, match="gives token"):
        load_teacher(name, Task("t", "single", ("a", "b")), 32)


@pytest.mark.parametrize("base", [".", "../other"])
def test_an_adapter_of_an_adapter_is_refused(tmp_path: Path, base: str) -> None:
    for folder, adapts in (("own", base), ("other", "../own")):
        (tmp_path / folder).mkdir()
        about = json.dumps({"base_model_name_or_path": adapts, "peft_type": "LORA"})
        (tmp_path / folder / "adapter_config.json").write_text(about)
    for read in (classifier_hash, lambda name: load_tokenizer(name, 32)):
        with pytest.raises(ModelError, match="is an adapter too"):
            read(str(tmp_path / "own"))


def test_a_checkpoint_without_a_head_is_refused_in_one_line(
    tokenizer_json: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name = _checkpoint("roberta", tmp_path / "c", tokenizer_json)
    capfd.readouterr()  # transformers 5 draws bars as it writes
    with pytest.raises(ModelError, match="no trained classification head"):
        load_teacher(name, Task("t", "single", ("a", "b")), 32)
    assert not capfd.readouterr().err
