"""`pretrain` and `label --states` on a run directory, and what distill makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from codewren.cli.app import app
from codewren.data import Dataset
from codewren.pipeline import run_recipe
from codewren.recipe import load_recipe
from codewren.run_directory import Run, Step
from codewren.source import Language
from codewren.token_types import KINDS, kinds_of_characters
from codewren.verbs.distill import DistillSettings, distill
from codewren.verbs.finetune import ModelSource, finetune
from codewren.verbs.label import STATES, LabelSource, label
from codewren.verbs.pretrain import PretrainSettings, pretrain
from codewren_distill.settings import FreshStudent, TrainingSettings
from codewren_distill.soft_labels import example_key
from codewren_runtime.errors import CodewrenError, OptionError
from codewren_runtime.types import Architecture, Example, Task

TASK = Task("t", "single", ("no", "yes"))
SHAPE = Architecture(290, 16, 2, 2, 16, 32)
QUICK = TrainingSettings(epochs=1, batch_size=8, learning_rate=2e-3)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path / "run")
    made.folder.mkdir()
    _shaped(made, SHAPE)
    return made


def _shaped(run: Run, shape: Architecture) -> None:
    Step("search", run.path("architecture.json"), {}).finish({"architecture": shape.to_json()})


def _taught(run: Run, data: Dataset, *, states: bool = False) -> None:
    teacher = ModelSource(architecture=replace(SHAPE, num_layers=3))
    finetune(run, data, TASK, teacher, QUICK)
    label(run, data, TASK, LabelSource(states=states))


def test_a_student_starts_from_what_the_run_has_pretrained(data: Dataset, run: Run) -> None:
    texts = tuple(Example(example.text.replace("x", "yz")) for example in data.examples)
    other = replace(data, examples=texts, sha256="other texts")
    made = pretrain(run, other, "raw", PretrainSettings(token_types=True), QUICK)
    assert (made["texts"], made["held_out"]) == (38, 2)
    assert 0 <= made["accuracy"] <= 1
    assert 0 <= made["kind_accuracy"] <= 1
    assert not run.path("pretrained/training_state").exists()
    assert pretrain(run, other, "raw", PretrainSettings(token_types=True), QUICK) == made
    _taught(run, data)
    student = distill(run, data, DistillSettings(), QUICK)
    assert student["pretrained"]
    ours, theirs = (run.path(f"{part}/tokenizer.json") for part in ("student", "pretrained"))
    assert ours.read_bytes() == theirs.read_bytes()
    scratch = DistillSettings(fresh=FreshStudent(from_scratch=True))
    assert not distill(run, data, scratch, QUICK)["pretrained"]
    control = ModelSource(architecture=SHAPE, fresh=FreshStudent())
    finetune(run, data, TASK, control, QUICK, into="control")
    assert run.path("control/tokenizer.json").read_bytes() == theirs.read_bytes()
    assert run.path("teacher/tokenizer.json").read_bytes() != theirs.read_bytes()


def test_a_pretrained_encoder_that_does_not_fit_is_refused(data: Dataset, run: Run) -> None:
    pretrain(run, data, "words", PretrainSettings(), QUICK)
    _taught(run, data)
    with pytest.raises(OptionError, match="words text, the task is on raw"):
        distill(run, data, DistillSettings(), QUICK)
    with pytest.raises(OptionError, match="--normalisation raw"):
        pretrain(run, data, "words", PretrainSettings(), QUICK)
    pretrain(run, data, "raw", PretrainSettings(), QUICK)
    weights = run.path("pretrained/model.safetensors")
    kept = weights.read_bytes()
    weights.write_bytes(kept + b" ")
    with pytest.raises(OptionError, match="was changed"):
        distill(run, data, DistillSettings(), QUICK)
    weights.write_bytes(kept)
    _shaped(run, replace(SHAPE, num_layers=1))
    with pytest.raises(OptionError, match="another architecture; run pretrain"):
        distill(run, data, DistillSettings(), QUICK)


def test_a_student_learns_from_states_that_label_kept(data: Dataset, run: Run) -> None:
    _taught(run, data)
    settings = DistillSettings(hidden_weight=1.0, relation_weight=1.0)
    with pytest.raises(OptionError, match="label --states"):
        distill(run, data, settings, QUICK)
    label(run, data, TASK, LabelSource(states=True))
    stamp = run.path(STATES).stat().st_mtime_ns
    label(run, data, TASK, LabelSource(states=True))
    assert run.path(STATES).stat().st_mtime_ns == stamp
    assert distill(run, data, settings, QUICK)["teacher_layers"] == [2, 3]
    assert distill(run, data, DistillSettings(), QUICK)["teacher_layers"] is None
    finetune(run, data, TASK, ModelSource(architecture=SHAPE), QUICK)
    label(run, data, TASK)
    with pytest.raises(OptionError, match="another teacher's"):
        distill(run, data, settings, QUICK)


def test_a_black_box_has_no_states(data: Dataset, run: Run, tmp_path: Path) -> None:
    soft = tmp_path / "soft.jsonl"
    lines = [{"sha256": example_key(e).hex(), "logits": [0, 1]} for e in data.examples]
    soft.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(OptionError, match="not of a file of answers"):
        LabelSource(soft_labels=soft, states=True)
    with pytest.raises(OptionError, match="or of several"):
        LabelSource(("a", "b"), states=True)
    label(run, data, TASK, LabelSource(soft_labels=soft))
    arguments = ["distill", "--data", str(data.path), "--run", str(run.folder),
                 "--hidden-weight", "1"]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, CodewrenError)  # `main` makes it one line, and exit 2
    assert "a teacher that is a file of answers has no states" in str(done.exception)
    assert "\n" not in str(done.exception)


def test_the_command_line_does_all_of_it(data: Dataset, run: Run) -> None:
    def compress(verb: str, *arguments: str) -> str:
        given = [verb, "--data", str(data.path), "--run", str(run.folder), "--quiet", *arguments]
        done = CliRunner().invoke(app, given, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    told = compress("pretrain", "--epochs", "1", "--token-types", "--language", "c")
    assert "of hidden tokens right" in told
    assert "% of kinds" in told
    finetune(run, data, TASK, ModelSource(architecture=SHAPE), QUICK)
    compress("label", "--states")
    weights = ("--hidden-weight", "1", "--relation-weight", "0.5", "--epochs", "1", "--json")
    made = json.loads(compress("distill", *weights))
    assert made["pretrained"]
    assert made["teacher_layers"] == [1, 2]
    assert made["inputs"]["settings"]["relation_weight"] == 0.5
    again = json.loads(compress("distill", *weights, "--from-scratch"))
    assert not again["pretrained"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"mask_share": 0.0}, "mask_share must be between 0 and 1"),
        ({"valid_share": 1.0}, "valid_share must be between 0 and 1"),
        ({"language": "c"}, "language is for token_types"),
        ({"token_types": True, "language": "cobol"}, "language is one of c, cpp"),
        ({"embeddings": "magic"}, "embeddings are random"),
    ],
)
def test_a_wrong_setting_of_pretraining_is_named(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        PretrainSettings(**wrong)  # type: ignore[arg-type]


def _told(text: str, language: Language | None) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    before = -1
    for character, kind in zip(text, kinds_of_characters(text, language, -1), strict=True):
        if kind == before >= 0:
            found[-1] = (found[-1][0] + character, KINDS[kind])
        elif kind >= 0:
            found.append((character, KINDS[kind]))
        before = kind
    return found


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        (None, "static int f(char *s) { return s[0x1] > 'c' ? NULL : g(\"é\"); } // hé",
         {"static": "keyword", "int": "type", "f": "name", "*": "operator", "0x1": "literal",
          "'c'": "string", '"é"': "string", "// hé": "comment", "return": "keyword"}),
        (None, "public int f(String s) throws E { this.x = new A<B>(1.5f); return null; }",
         {"public": "keyword", "int": "type", "String": "type", "s": "name", "1.5f": "literal",
          "null": "literal", "throws": "keyword", "<": "operator"}),
        (Language.PYTHON, "def f(x: int = None):\n    return f'a{x}' and not x.y # c",
         {"def": "keyword", "int": "type", "None": "literal", "f'a{x}'": "string",
          "not": "keyword", "y": "name", "# c": "comment"}),
        (Language.GO, "func (s *S) F() error { return fmt.Errorf(`a`, nil) }",
         {"func": "keyword", "S": "type", "error": "type", "`a`": "string", "nil": "literal"}),
        (Language.RUST, "fn f(x: &u8) -> bool { let y = true; x == 'a' }",
         {"fn": "keyword", "u8": "type", "bool": "type", "true": "literal", "'a'": "string"}),
    ],
)  # fmt: skip
def test_the_syntax_tree_tells_what_a_word_is(
    language: Language | None, text: str, words: dict[str, str]
) -> None:
    told = dict(_told(text, language))
    assert {word: told.get(word) for word in words} == words


@pytest.mark.parametrize("text", ["", "}}} (", "é\ud800 x", "a\x00b", "\N{PILE OF POO}" * 3])
def test_a_text_that_is_no_code_has_as_many_kinds_as_characters(text: str) -> None:
    assert len(kinds_of_characters(text, None, -1)) == len(text)


RECIPE = """
[task]
labels = ["no", "yes"]
[data]
train = "data.jsonl"
unlabelled = "data.jsonl"
test = "data.jsonl"
[search]
size = "300kB"
space = "space.toml"
[pretrain]
rows = 30
data = "data.jsonl"
epochs = 1
mask_share = 0.2
[teacher]
epochs = 1
[teacher.architecture]
vocab_size = 290
hidden_size = 16
num_layers = 3
num_heads = 2
intermediate_size = 16
max_length = 32
[distill]
epochs = 1
hidden_weight = 0.5
relation_weight = 2
"""
SPACE = """
max_length = 32
vocab_size = 290
hidden_size = 16
num_layers = 2
num_heads = 2
intermediate_size = 16
"""


@pytest.mark.slow
def test_a_recipe_pretrains_and_transfers(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(RECIPE)
    (tmp_path / "space.toml").write_text(SPACE)
    recipe = load_recipe(tmp_path / "r.toml")
    assert recipe.pretrain is not None
    assert recipe.pretrain.data == data.path
    assert recipe.pretrain.settings.mask_share == 0.2
    assert recipe.pretrain.training == TrainingSettings(epochs=1)
    assert recipe.label.states
    run = Run(tmp_path / "whole")
    run_recipe(run, recipe)
    left = json.loads(run.path("pretrained/metrics.json").read_text())
    assert left["texts"] + left["held_out"] == 30
    made = json.loads(run.path("student/metrics.json").read_text())
    assert (made["pretrained"], made["teacher_layers"]) == (True, [2, 3])
    # Without the table, what the run has is left aside.
    run_recipe(run, replace(recipe, pretrain=None))
    assert not json.loads(run.path("student/metrics.json").read_text())["pretrained"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("mask_share = 0.2", "mask_share = 2.0", "mask_share must be between"),
        ("mask_share = 0.2", "memory = true", r"\[pretrain\] memory is for learning a task"),
        ("mask_share = 0.2", "pair_head = 3", r"\[pretrain\] unknown key 'pair_head'"),
        ("rows = 30", 'rows = "all"', "rows must be of type int"),
        ("hidden_weight = 0.5", "hidden_weight = -1", "hidden_weight must be at least 0"),
        ("[teacher]", "[tutor]", "unknown key 'tutor'"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    (tmp_path / "r.toml").write_text(RECIPE.replace(old, new))
    with pytest.raises(OptionError, match=says):
        load_recipe(tmp_path / "r.toml")


def test_a_recipe_of_a_black_box_wants_no_states(tmp_path: Path) -> None:
    start, end = RECIPE.split("[teacher]", maxsplit=1)[0], RECIPE.split("[distill]")[1]
    text = f'{start}[label]\nsoft_labels = "s.jsonl"\n[distill]{end}'
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(OptionError, match="not of a file of answers"):
        load_recipe(tmp_path / "r.toml")
