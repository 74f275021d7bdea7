"""Data flow against what a reader of the code would draw, and the model that reads it."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, PreTrainedTokenizerFast

from codewren_distill.classifier import Classifier, load_classifier
from codewren_distill.data_flow import LANGUAGES, DataFlowText, GraphModel, data_flow
from codewren_distill.data_flow.text import MAX_NODES
from codewren_distill.labelling import label_examples
from codewren_distill.scoring import logits_of
from codewren_distill.settings import TrainingSettings
from codewren_distill.states import record_states
from codewren_distill.teachers import load_teacher, new_from_checkpoint
from codewren_distill.text_side import TransformersTokenizer
from codewren_distill.train import finetune
from codewren_runtime.errors import DataError, ModelError, OptionError
from codewren_runtime.types import Example, Task

# Variables are numbered by their occurrences in the text: b.2 is the second b.
# `x <- y` x comes from y, `x <= y` x is computed from y.
FUNCTIONS = {
    "c": (
        """int f(int a, char *p) {
            int b = a; /* not a */
            if (a) b = 1; else { b += 2; }
            for (int i = 0; i < a; i++) p[i] = b;
            return g(b) + s.a;
        }""",
        "b.1 <= a.2, a.2 <- a.1, a.3 <- a.1, b.3 <- b.1, i.2 <- i.1, i.2 <- i.3, i.3 <- i.1,"
        "a.4 <- a.1, p.2 <- p.1, p.2 <= b.4, i.4 <- i.1, i.4 <- i.3, b.4 <- b.2, b.4 <- b.3,"
        "b.5 <- b.2, b.5 <- b.3",
    ),
    "java": (
        """int f(int a, List<A> l) {
            int b;
            try { b = a; } catch (E e) { log(e); }
            for (A x : l) { b += x.a; }
            return b;
        }""",
        "b.2 <= a.2, a.2 <- a.1, e.2 <- e.1, x.1 <= l.2, l.2 <- l.1, b.3 <- b.2, b.3 <= x.2,"
        "x.2 <- x.1, b.4 <- b.2, b.4 <- b.3",
    ),
    "python": (
        """def f(a, b=1):
            a, b = b, a
            for x in a:
                if x:
                    b = x.a  # a
                elif b:
                    continue
            return [y for y in b if f(k=y)]
        """,
        "a.2 <= b.3, b.2 <= a.3, b.3 <- b.1, a.3 <- a.1, x.1 <= a.4, a.4 <- a.2, x.2 <- x.1,"
        "b.4 <= x.3, x.3 <- x.1, b.5 <- b.2, b.5 <- b.4, y.2 <= b.6, b.6 <- b.2, b.6 <- b.4,"
        "y.1 <- y.2, y.3 <- y.2",
    ),
    "javascript": (
        """function f(a, {b}) {
            let x = a, [y] = b;
            while (x) { x--; }
            const g = z => z + y;
            return `${x} a`;
        }""",
        "x.1 <= a.2, a.2 <- a.1, y.1 <= b.2, b.2 <- b.1, x.2 <- x.1, x.2 <- x.3, x.3 <- x.1,"
        "g.1 <= z.1, g.1 <= z.2, g.1 <= y.2, z.2 <- z.1, y.2 <- y.1, x.4 <- x.1, x.4 <- x.3",
    ),
    "go": (
        """func f(a int, s []int) int {
            x, y := a, 1
            for i, v := range s { x += v * i }
            switch a { case 1: y = x }
            return y
        }""",
        "x.1 <= a.2, a.2 <- a.1, i.1 <= s.2, v.1 <= s.2, s.2 <- s.1, x.2 <- x.1, x.2 <= v.2,"
        "x.2 <= i.2, v.2 <- v.1, i.2 <- i.1, a.3 <- a.1, y.2 <= x.3, x.3 <- x.1, x.3 <- x.2,"
        "y.3 <- y.1, y.3 <- y.2",
    ),
    "php": (
        """function f($a, $b = 1) {
            if ($a) { $x = $b; } else { $x = 2; }
            foreach ($x as $k => $v) { $b .= $v; }
            return $b;
        }""",
        "$a.2 <- $a.1, $x.1 <= $b.2, $b.2 <- $b.1, $x.3 <- $x.1, $x.3 <- $x.2, $k.1 <= $x.3,"
        "$v.1 <= $x.3, $b.3 <- $b.1, $b.3 <= $v.2, $v.2 <- $v.1, $b.4 <- $b.1, $b.4 <- $b.3",
    ),
    "ruby": (
        """def f(a, b = 1)
          x = a
          x = b unless a
          while b do b -= 1 end
          "a #{x}"
        end""",
        "x.1 <= a.2, a.2 <- a.1, x.2 <= b.2, b.2 <- b.1, a.3 <- a.1, b.3 <- b.1, b.3 <- b.4,"
        "b.4 <- b.1, x.3 <- x.1, x.3 <- x.2",
    ),
}


def _edges(code: str, language: str) -> set[str]:
    flow = data_flow(code, language)
    names = [f"{t}.{sum(o == t for o in flow.tokens[: i + 1])}" for i, t in enumerate(flow.tokens)]
    arrow = {"comes from": "<-", "computed from": "<="}
    return {f"{names[e.target]} {arrow[e.kind]} {names[e.source]}" for e in flow.edges}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_edges_are_those_a_reader_would_draw(language: str) -> None:
    code, wanted = FUNCTIONS[language]
    assert _edges(code, language) == {edge.strip() for edge in re.split(",", wanted)}


def test_comments_are_no_tokens_and_strings_are_one() -> None:
    flow = data_flow('int a = b; // c\nchar *s = "d e";', "c")
    assert flow.tokens == ("int", "a", "=", "b", ";", "char", "*", "s", "=", '"d e"', ";")
    assert flow.nodes == (1, 3)


def test_other_languages_are_refused_and_deep_code_has_no_edges() -> None:
    with pytest.raises(OptionError, match="data flow is of c, go, java"):
        data_flow("", "cobol")
    deep = data_flow("x = a;" + "(" * 5000 + "a" + ")" * 5000, "c")
    assert len(deep.tokens) == 10_005
    assert deep.edges == ()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(LANGUAGES)), st.randoms(use_true_random=False))
def test_any_text_gives_edges_between_its_variables(language: str, rng: random.Random) -> None:
    code = FUNCTIONS[language][0]
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(code))
        code = code[:at] + rng.choice(["", "(", "}", "x = ", "\n", "é", "'"]) + code[at + 1 :]
    flow = data_flow(code, language)
    for edge in flow.edges:
        assert edge.target != edge.source
        ends = flow.tokens[edge.target], flow.tokens[edge.source]
        assert edge.kind == "computed from" or ends[0] == ends[1]
    assert len(set(flow.edges)) == len(flow.edges)


@pytest.fixture(scope="module")
def checkpoint(tokenizer_json: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("graph")
    (folder / "raw.json").write_text(tokenizer_json)
    PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "raw.json"), bos_token="<s>", eos_token="</s>",
        cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>",
    ).save_pretrained(folder)  # fmt: skip
    config = transformers.RobertaConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=166, pad_token_id=1, type_vocab_size=1,
        initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def text(checkpoint: str) -> DataFlowText:
    from transformers import AutoTokenizer

    own = AutoTokenizer.from_pretrained(checkpoint)
    return DataFlowText(TransformersTokenizer(own, 100), "c")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcde"), min_size=0, max_size=90), st.integers(8, 100))
def test_who_sees_whom(text: DataFlowText, names: list[str], window: int) -> None:
    code = "int f(int a) {" + "".join(f"{n} = {n} + a;" for n in names) + "}"
    text.tokenizer.max_length = window
    rows = [text.encode(Example(code)), text.encode(Example("x = 1;"))]
    batch = text.collate(rows)
    for row, (ids, ends, edges) in enumerate(rows):
        size, nodes = len(ids), len(ends) // 2
        assert size <= window
        assert nodes <= MAX_NODES
        places, sees = batch["position_ids"][row], batch["attention_mask"][row].bool()
        end = size + nodes
        assert places[:size].tolist() == list(range(2, 2 + size))
        assert (places[size:end] == 0).all()
        assert (places[end:] == 1).all()
        assert (batch["input_ids"][row, end:] == text.tokenizer.pad_id).all()
        assert sees[:size, :size].all()
        assert sees[0, :end].all()  # [CLS]
        assert sees[size - 1, :end].all()  # [SEP]
        inner = slice(1, size - 1)
        assert torch.equal(sees[inner, size:end], sees[size:end, inner].T)
        drawn = {(t, s) for t, s in zip(edges[::2], edges[1::2], strict=True)}
        assert {tuple(pair) for pair in sees[size:end, size:end].nonzero().tolist()} == drawn
        for node in range(nodes):
            own = sees[size + node, :size].nonzero().flatten().tolist()
            assert own == list(range(ends[2 * node], ends[2 * node + 1] + 1))
            assert 0 < own[0] <= own[-1] < size - 1
        assert not sees[:end, end:].any()
        assert torch.equal(sees[end:], torch.eye(len(places), dtype=torch.bool)[end:])


def test_a_node_is_the_code_that_it_stands_for(text: DataFlowText) -> None:
    text.tokenizer.max_length = 100
    ids, ends, _ = text.encode(Example("int alpha = beta + 1; return alpha;"))
    own = text.tokenizer.tokenizer
    said = [
        own.decode(ids[first : last + 1]).strip()
        for first, last in zip(ends[::2], ends[1::2], strict=True)
    ]
    assert said == ["alpha", "beta", "alpha"]


def _rows() -> list[Example]:
    rng = random.Random(0)
    rows = []
    for _ in range(48):
        flows = rng.random() < 0.5
        source, other = "ab" if flows else "ba", rng.choice("ab")
        code = f"int f(int a, int b) {{ int c = {source[0]}; return c + {other}; }}"
        rows.append(Example(code, label=int(flows)))
    return rows


def test_it_trains_saves_reloads_and_labels_the_same(
    checkpoint: str, single_task: Task, tmp_path: Path
) -> None:
    rows = _rows()
    model = new_from_checkpoint(checkpoint, single_task, 400, "siamese", 0, "c")
    assert isinstance(model.model, GraphModel)
    assert model.max_length == 100  # 166 positions, 64 for nodes, 2 of RoBERTa's
    table = model.core.base_model.embeddings.position_embeddings.weight
    before = table[0].detach().clone()
    once = TrainingSettings(epochs=2, batch_size=8, learning_rate=1e-3)
    finetune(model, rows, once, tmp_path, identity="a")
    after = model.core.base_model.embeddings.position_embeddings.weight[0]
    assert not torch.equal(before, after)  # the nodes' position trains
    loaded = load_classifier(tmp_path)
    assert isinstance(loaded.text, DataFlowText)
    assert loaded.text.language == "c"
    teacher = load_teacher(str(tmp_path), single_task, 400)
    soft = label_examples(teacher, "t", rows, tmp_path / "soft.safetensors").matrix(rows)
    assert soft == pytest.approx(logits_of(model, rows), abs=1e-5)
    texts = [rows[0].text, "int g(int a, int b) { int c = a; a = b; b = c; return a + b + c; }"]
    states = record_states(teacher, "t", texts, 2, tmp_path / "both.safetensors").table(texts)
    alone = record_states(teacher, "t", texts[:1], 2, tmp_path / "one.safetensors")
    assert states.shape == (2, 2, 16)
    assert alone.table(texts[:1])[0] == pytest.approx(states[0], abs=2e-3)  # no padding in it
    without = Classifier(model.model, DataFlowText(loaded.text.tokenizer, "python"),
                         single_task, 100)  # fmt: skip
    assert logits_of(without, rows) != pytest.approx(soft, abs=1e-5)  # other edges, other answers


def test_padding_changes_no_answer(checkpoint: str, single_task: Task) -> None:
    model = new_from_checkpoint(checkpoint, single_task, 100, "siamese", 0, "c")
    short = Example("int f(int a) { return a; }")
    long = Example("int f(int a) {" + "a = a + a;" * 12 + "}")
    alone = logits_of(model, [short])
    assert logits_of(model, [short, long])[0] == pytest.approx(alone[0], abs=1e-5)


def test_what_cannot_read_data_flow_is_refused(
    checkpoint: str, single_task: Task, text: DataFlowText, tmp_path: Path
) -> None:
    config = transformers.BertConfig(vocab_size=300, hidden_size=16, num_attention_heads=2)
    config.save_pretrained(tmp_path / "bert")
    with pytest.raises(ModelError, match="not a bert; leave out --data-flow"):
        new_from_checkpoint(str(tmp_path / "bert"), single_task, 100, "siamese", 0, "c")
    with pytest.raises(DataError, match="reads single texts"):
        text.encode(Example("a", "b"))
