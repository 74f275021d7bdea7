"""Training for a precision rounds as export does, whatever the student's shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codewren_distill.classifier import Classifier
from codewren_distill.models import SequenceModel, SiameseModel
from codewren_distill.qat import Rounding
from codewren_distill.settings import FreshStudent, Precision
from codewren_distill.text_side import SiameseText
from codewren_export import Exportable, export_bundle
from codewren_export.families import read_encoder
from codewren_export.graph import text_graph
from codewren_export.measure import token_ids
from codewren_export.quiet import quiet
from codewren_export.reference import head_graph
from codewren_export.scoring import Graphs, Scorer, onnx_scorer, torch_scorer
from codewren_export.weights import store_weights
from codewren_runtime import load
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Architecture

MakeExportable = Callable[..., Exportable]

SHAPES = {
    # Queries, keys and values are large enough together alone; the positions are too few.
    "packed alone": Architecture(320, 24, 2, 4, 48, 32),
    "many positions": Architecture(400, 40, 1, 5, 64, 128),
    "no block of 8": Architecture(320, 44, 1, 2, 37, 64),
    "factorised and shared": Architecture(512, 48, 4, 3, 64, 128, 24, 2),
    "narrow embeddings": Architecture(512, 48, 2, 3, 64, 512, 4, 1),
}
STUDENTS = {
    "n-grams": ("single", FreshStudent(ngrams=4_096)),
    "difference": ("pair", FreshStudent()),
    "shared traits": ("pair", FreshStudent(pair_head="shared")),
}


def student_of(given: Exportable) -> Classifier:
    """The exportable's own modules, as distill holds them."""
    if given.head is None:
        model: SequenceModel | SiameseModel = SequenceModel(given.model, given.ngrams)  # type: ignore[arg-type]
    else:
        model = SiameseModel(given.model, given.head)  # type: ignore[arg-type]
    length = given.architecture.max_length
    tokenizer = CodeTokenizer(given.tokenizer_json, length, given.task.normalisation)
    return Classifier(
        model, SiameseText(tokenizer, pairs=given.head is not None), given.task, length
    )


def shipped(given: Exportable, bits: int, scratch: Path) -> Scorer:
    head = None
    if given.head is not None:
        with quiet():
            head = head_graph(given.head, given.architecture.hidden_size, scratch)
        head = store_weights(head, bits)
    return onnx_scorer(Graphs(store_weights(text_graph(read_encoder(given)), bits), head))


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("kind", STUDENTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_rounded_student_answers_as_its_bundle(
    exportable: MakeExportable, tmp_path: Path, shape: str, kind: str, precision: Precision
) -> None:
    task, fresh = STUDENTS[kind]
    given = exportable(SHAPES[shape], task, ("no", "yes"), fresh=fresh)
    rows, bits = token_ids(given), {"int8": 8, "int4": 4}[precision]
    plain = torch_scorer(given).logits(rows)
    of_float = shipped(given, bits, tmp_path).logits(rows)
    rounding = Rounding(student_of(given), precision)
    with rounding.applied():
        rounded = torch_scorer(given).logits(rows)
    np.testing.assert_array_equal(torch_scorer(given).logits(rows), plain)  # put back
    moved = np.abs(rounded - plain).max()
    assert moved > 1e-4
    np.testing.assert_allclose(rounded, of_float, rtol=1e-5, atol=moved / 50)
    # Rounded for good, it is what its bundle holds.
    rounding.settle()
    of_rounded = shipped(given, bits, tmp_path).logits(rows)
    np.testing.assert_allclose(of_rounded, of_float, rtol=1e-5, atol=moved / 50)


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_a_rounded_student_loses_nothing_at_its_gates(
    exportable: MakeExportable, tmp_path: Path, precision: Precision
) -> None:
    given = exportable(SHAPES["many positions"], "pair", ("no", "yes"))
    Rounding(student_of(given), precision).settle()
    labelled = [replace(example, label=0) for example in given.sample_texts]
    given = replace(given, sample_texts=labelled)
    report = export_bundle(given, tmp_path / "m.wren", quant=precision)
    assert report.agreement == 1
    assert report.accuracy_change == 0
    assert report.probability_change < 1e-5
    load(tmp_path / "m.wren")
