from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.search import (
    count_flops,
    count_parameters,
    paper_bytes,
    paper_flops,
    paper_parameters,
    predict_bytes,
)
from codewren.search.cost import Shapes
from codewren.search.size import codewren_cost
from codewren_runtime.types import Architecture, TaskKind

PUBLISHED = Architecture(1000, 96, 12, 8, 64)

architectures = st.builds(
    lambda vocab, heads, size, groups, middle, length, embedding, shared: Architecture(
        vocab,
        heads * size,
        groups * shared,
        heads,
        middle,
        length,
        min(embedding, heads * size),
        shared,
    ),
    st.integers(261, 3000),
    st.integers(1, 8),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 200),
    st.integers(8, 64),
    st.integers(0, 96),
    st.integers(1, 3),
)
kinds: st.SearchStrategy[TaskKind] = st.sampled_from(["single", "pair"])


def students(kind: TaskKind, architecture: Architecture, labels: int) -> tuple[object, ...]:
    """The real modules of a student: one, or encoder and head for pairs."""
    from transformers import AutoModel, AutoModelForSequenceClassification

    from codewren_distill.pair_heads import PairHead
    from codewren_distill.student import student_config
    from codewren_runtime.types import Task

    task = Task("t", kind, tuple(f"label {i}" for i in range(labels)))
    config = student_config(architecture, task)
    config._attn_implementation = "eager"
    if kind == "single":
        return (AutoModelForSequenceClassification.from_config(config).eval(),)
    encoder = AutoModel.from_config(config, add_pooling_layer=False).eval()
    return encoder, PairHead(architecture.hidden_size, labels)


@given(architectures, kinds, st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_parameters_are_those_of_the_real_student(
    architecture: Architecture, kind: TaskKind, labels: int
) -> None:
    import torch

    with torch.device("meta"):
        modules = students(kind, architecture, labels)
    real = sum(p.numel() for module in modules for p in module.parameters())  # type: ignore[attr-defined]
    assert count_parameters(architecture, kind, labels) == real


@given(architectures, kinds, st.integers(2, 9), st.data())
@settings(max_examples=15, deadline=None)
def test_flops_are_those_that_torch_counts(
    architecture: Architecture, kind: TaskKind, labels: int, data: st.DataObject
) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    length = data.draw(st.integers(1, architecture.max_length))
    ids = torch.full((1, length), 5)
    modules = students(kind, architecture, labels)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if kind == "single":
            modules[0](ids)  # type: ignore[operator]
        else:
            first, second = (modules[0](ids).last_hidden_state.mean(1) for _ in range(2))  # type: ignore[operator]
            modules[1](first, second)  # type: ignore[operator]
    assert count_flops(architecture, kind, labels, length) == counter.get_total_flops()


def test_the_student_that_distillation_builds_has_the_predicted_parameters() -> None:
    from codewren_distill.student import build_student
    from codewren_distill.vocabulary import train_tokenizer
    from codewren_runtime.types import Task

    tokenizer = train_tokenizer(["int f(int a) { return a; }"], 270, "structure")
    kind: TaskKind
    for kind in ("single", "pair"):
        task = Task("t", kind, ("no", "yes", "perhaps"))
        student = build_student(Architecture(270, 24, 2, 3, 40, 32), task, tokenizer, seed=1)
        assert student.parameters == count_parameters(Architecture(270, 24, 2, 3, 40, 32), kind, 3)


@given(st.lists(architectures, min_size=1, max_size=5), kinds, st.sampled_from([8, 16, 32]))
def test_an_array_of_architectures_costs_what_each_costs(
    many: list[Architecture], kind: TaskKind, bits: int
) -> None:
    costs = codewren_cost(kind, 2, bits)(Shapes.of(many))  # type: ignore[arg-type]
    assert costs.parameters.tolist() == [count_parameters(a, kind, 2) for a in many]
    assert costs.flops.tolist() == [count_flops(a, kind, 2) for a in many]
    assert costs.size_bytes.tolist() == [predict_bytes(a, kind, 2, bits) for a in many]  # type: ignore[arg-type]


@given(architectures, kinds, st.sampled_from([8, 16, 32]))
def test_more_layers_and_longer_inputs_always_take_more_bytes(
    architecture: Architecture, kind: TaskKind, bits: int
) -> None:
    size = predict_bytes(architecture, kind, 2, bits)  # type: ignore[arg-type]
    deeper = replace(architecture, num_layers=architecture.num_layers + architecture.shared_layers)
    longer = replace(architecture, max_length=architecture.max_length + 2_000)
    assert predict_bytes(deeper, kind, 2, bits) > size  # type: ignore[arg-type]
    assert predict_bytes(longer, kind, 2, bits) > size  # type: ignore[arg-type]


def test_the_published_student_shrinks_with_its_bits() -> None:
    megabytes = [predict_bytes(PUBLISHED, "single", 2, bits) / 1e6 for bits in (8, 16, 32)]
    assert megabytes == pytest.approx([0.847, 1.547, 3.012], abs=0.01)


def test_the_published_figures_come_out() -> None:
    assert paper_parameters(PUBLISHED) == 765_410
    assert round(paper_flops(PUBLISHED) / 1e9, 4) == 2.2532
    assert paper_bytes(PUBLISHED) == 4 * 765_410
    # What the same model really computes on its 400 tokens.
    assert round(count_flops(PUBLISHED, "single", 2) / 1e9, 3) == 1.209


def test_the_papers_formula_takes_arrays_too() -> None:
    smaller = Architecture(1000, 96, 12, 8, 32)
    flops = paper_flops(Shapes.of([PUBLISHED, smaller]))
    assert isinstance(flops, np.ndarray)
    assert flops.tolist() == [paper_flops(PUBLISHED), paper_flops(smaller)]


@pytest.mark.parametrize("labels", [2, 66])
def test_labels_cost_one_row_of_the_head_each(labels: int) -> None:
    more = count_parameters(PUBLISHED, "single", labels + 1)
    assert more - count_parameters(PUBLISHED, "single", labels) == PUBLISHED.hidden_size + 1
