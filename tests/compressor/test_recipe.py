from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from codewren.recipe import load_recipe
from codewren_runtime.errors import OptionError

GOOD = """
seed = 7
[task]
name = "t"
labels = ["a", "b"]
[data]
train = "train.jsonl"
unlabelled = "u.jsonl"
test = "test.jsonl"
text = "code"
[search]
size = "1MB"
[teacher]
epochs = 2
[teacher.architecture]
vocab_size = 300
hidden_size = 16
num_layers = 1
num_heads = 2
intermediate_size = 16
[distill]
loss = "mse"
epochs = 3
"""


def test_a_recipe_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(GOOD)
    recipe = load_recipe(path)
    assert recipe.data.train == tmp_path / "train.jsonl"
    assert recipe.data.fields.text == "code"
    assert recipe.teacher is not None
    assert recipe.teacher.architecture is not None
    assert recipe.label.is_run
    assert (recipe.teacher_training.epochs, recipe.training.epochs) == (2, 3)
    assert recipe.teacher_training.seed == recipe.training.seed == recipe.search.seed == 7
    assert recipe.distill.loss == "mse"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[task]", "[tusk]", "unknown key 'tusk'"),
        ('size = "1MB"', 'size = "1 parsec"', "parsec"),
        ('size = "1MB"', "size = 3", "size must be of type str"),
        ("epochs = 2", "epochs = 0", "epochs must be at least 1"),
        ("epochs = 2", 'epochs = "2"', "epochs must be of type int"),
        ("epochs = 2", "epoch = 2", "unknown key 'epoch'"),
        ('loss = "mse"', 'loss = "hinge"', "kl or mse"),
        ('loss = "mse"', "temperature = -1", "temperature"),
        ('loss = "mse"', 'qat = "int7"', "qat must be int8 or int4, not 'int7'"),
        ("hidden_size = 16", "hidden_size = 15", "divisible"),
        ("[teacher.architecture]", "[teacher.arkitecture]", "unknown key"),
        ('train = "train.jsonl"', "", "train must be the path"),
        ('labels = ["a", "b"]', 'labels = ["a", "b", 3]', "label"),
        ("seed = 7", "seed = -1", "seed"),
        ("seed = 7", f"seed = {2**32}", "4294967295"),
        ("seed = 7", "seed = ", "TOML"),
        ('text = "code"', "unlabelled_rows = 0", "[data] unlabelled_rows must be at least 1"),
        ('text = "code"', "train_rows = -5", "[data] train_rows must be at least 1, not -5"),
        ('train = "train.jsonl"', 'train = "a\\u0000b"', "train must be the path"),
        ('text = "code"', "text = 5", "text"),
        ('text = "code"', 'text1 = "code"', "--text2"),
        ("[distill]", '[label]\nteachers = ["a"]\n[distill]', "either [teacher]"),
        ("[distill]", '[label]\nteachers = "a"\n[distill]', "must be a list"),
        ("[distill]", '[label]\nid = "idx"\n[distill]', "--soft-labels"),
    ],
)
def test_a_wrong_recipe_is_one_line_that_names_the_file(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in GOOD
    path = tmp_path / "r.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(OptionError) as caught:
        load_recipe(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_recipe_may_begin_with_a_mark_of_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert load_recipe(path).seed == 7


def test_a_recipe_without_a_teacher_says_where_answers_come_from(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    start, end = GOOD.split("[teacher]", maxsplit=1)[0], GOOD.split("[distill]")[1]
    path.write_text(f'{start}[label]\nsoft_labels = "s.jsonl"\nid = "idx"\n[distill]{end}')
    recipe = load_recipe(path)
    assert recipe.teacher is None
    assert (recipe.label.soft_labels, recipe.label.id) == (tmp_path / "s.jsonl", "idx")
    (tmp_path / "one").mkdir()
    path.write_text(f'{start}[label]\nteachers = ["one", "hub/two"]\n[distill]{end}')
    assert load_recipe(path).label.teachers == (str(tmp_path / "one"), "hub/two")


def test_a_recipe_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no such file"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="cannot be read"):
        load_recipe(tmp_path / "b.toml")


def test_the_recipes_of_the_project_are_read() -> None:
    folder = Path(__file__).resolve().parents[2] / "recipes"
    assert load_recipe(folder / "devign.toml").search.space.endswith("c-functions.toml")
    for name in ("codebert", "graphcodebert"):
        recipe = load_recipe(folder / f"{name}.toml")
        assert recipe.teacher is not None
        assert recipe.teacher.checkpoint == f"microsoft/{name}-base"
        assert recipe.teacher.data_flow == ("c" if name == "graphcodebert" else None)
        assert (recipe.supervision.valid_share, recipe.teacher_training.learning_rate) == (
            0.1,
            2e-5,
        )


@pytest.mark.parametrize("name", ["codebert", "graphcodebert"])
def test_the_recipes_teach_with_a_tiny_checkpoint_in_place_of_the_hubs(
    name: str, tmp_path: Path
) -> None:
    from codewren.data import Fields, read_examples
    from codewren.run_directory import Run
    from codewren.verbs.distill import distill
    from codewren.verbs.finetune import finetune
    from codewren.verbs.label import label
    from codewren.verbs.search import search_architecture
    from codewren_runtime.types import Task

    recipes = Path(__file__).resolve().parents[2] / "recipes"
    shutil.copy(recipes / "c-functions.toml", tmp_path)
    text = (recipes / f"{name}.toml").read_text()
    (tmp_path / "r.toml").write_text(text.replace(f"microsoft/{name}-base", "tiny"))
    rows = [{"func": f"int f(int a) {{ a += {i}; return a; }}", "target": i % 2} for i in range(40)]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    _tiny_roberta(tmp_path / "tiny", [str(row["func"]) for row in rows])
    recipe = load_recipe(tmp_path / "r.toml")
    assert recipe.teacher is not None
    assert recipe.teacher.checkpoint == str(tmp_path / "tiny")
    assert recipe.task.labels is not None
    task = Task(recipe.task.name, recipe.task.kind, recipe.task.labels)
    data = read_examples(tmp_path / "d.jsonl", Fields(), task.labels, require_label=True)
    run, training = Run(tmp_path / "run"), recipe.teacher_training
    made = finetune(run, data, task, recipe.teacher, training, supervision=recipe.supervision)
    assert made["examples"] == 36
    assert 1 <= len(made["valid_losses"]) <= 5
    card = json.loads((tmp_path / "run" / "teacher" / "classifier.json").read_text())
    assert card.get("data_flow") == recipe.teacher.data_flow
    search_architecture(run, recipe.search, task)
    assert label(run, data, task, recipe.label)["examples"] == 40
    student = distill(run, data, recipe.distill, replace(recipe.training, epochs=1))
    assert (student["teacher_layers"] is not None) == (name == "codebert")
    assert (
        finetune(run, data, task, recipe.teacher, training, supervision=recipe.supervision) == made
    )


def _tiny_roberta(folder: Path, texts: list[str]) -> None:
    from transformers import AutoModel, PreTrainedTokenizerFast, RobertaConfig

    from codewren_distill.vocabulary import train_tokenizer

    folder.mkdir()
    (folder / "raw.json").write_text(train_tokenizer(texts, 300, "structure"))
    special = {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    made = PreTrainedTokenizerFast(tokenizer_file=str(folder / "raw.json"), **special)
    made.save_pretrained(folder)
    config = RobertaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=1,
                           num_attention_heads=2, intermediate_size=16, type_vocab_size=1,
                           max_position_embeddings=514)  # fmt: skip
    AutoModel.from_config(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('text = "code"', "text = 5", r"\[data\] text must be of type str"),
        ('text = "code"', 'text = "code"\ntrain_rows = "all"', r"train_rows must be of type int"),
        ('size = "1MB"', 'size = "1MB"\nbits = 8.0', r"bits must be 8 or 16 or 32"),
        ('size = "1MB"', 'size = "1MB"\nlatency = 5', r"latency must be of type str"),
        ('size = "1MB"', 'size = "1MB"\nformula = "x"', r"formula must be codewren"),
        ('name = "t"', 'name = "t"\nkind = ["pair"]', r"kind must be single or pair"),
        ("[distill]", '[export]\nquant = "int3"\n[distill]', r"quant must be int8"),
        ('loss = "mse"', "temperature = true", r"temperature must be of type float"),
    ],
)
def test_a_value_of_another_type_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(OptionError, match=says) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = " + b"[" * 100_000, b"a = " + b"1" * 5000])
def test_a_file_that_is_no_toml_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(content)
    with pytest.raises(OptionError, match=r"r\.toml: cannot be read as TOML"):
        load_recipe(path)
