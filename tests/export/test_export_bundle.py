from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from codewren.verbs.search import NGRAM_GRAPH_BYTES, SearchSettings
from codewren_distill.ngrams import NgramBag
from codewren_distill.settings import FreshStudent
from codewren_export import QUANTS, STAGES, Exportable, Quant, export_bundle
from codewren_export.calibration import fit_temperature
from codewren_export.encoder import Encoder
from codewren_export.graph import text_graph
from codewren_runtime import load, read_bundle
from codewren_runtime.errors import GateError, ModelError, OptionError
from codewren_runtime.types import Architecture, Example, TaskKind

MakeExportable = Callable[[Architecture, TaskKind], Exportable]

SHAPES = [
    Architecture(320, 16, 1, 1, 16, 48),
    Architecture(320, 32, 2, 8, 48, 64),
    Architecture(400, 48, 3, 3, 32, 96),
    Architecture(320, 64, 1, 4, 1_040, 32),
    Architecture(320, 24, 2, 2, 40, 8),
    Architecture(512, 40, 3, 5, 64, 128),
    Architecture(512, 48, 4, 3, 64, 128, embedding_size=24, shared_layers=2),
    Architecture(400, 32, 6, 2, 64, 64, shared_layers=6),
]
TINY = SHAPES[0]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [(shape, ("single", "pair", "embedding")[i % 3]) for i, shape in enumerate(SHAPES)],
)
def test_any_shape_passes_its_gates_at_every_precision(
    exportable: MakeExportable, tmp_path: Path, shape: Architecture, kind: TaskKind
) -> None:
    given = exportable(shape, kind)
    sizes = []
    for quant in ("int8", "fp16", "fp32"):
        out = tmp_path / f"{quant}.wren"
        report = export_bundle(given, out, quant=quant)
        assert all(gate.passed for gate in report.gates)
        assert report.parity <= 1e-4
        assert report.size_bytes == out.stat().st_size
        assert sum(report.parts.values()) < report.size_bytes
        sizes.append(report.size_bytes)
    assert sizes == sorted(sizes)
    if kind == "embedding":
        assert report.agreement == pytest.approx(1, abs=1e-6)
        assert load(out).manifest.metrics["median_cosine_required"] == 0.99
    else:
        assert report.probability_change < 1e-4  # 32 bits: the graph itself
    assert sum(report.parts.values()) == report.fp32_bytes


@pytest.mark.parametrize(
    ("kind", "labels", "fresh"),
    [
        ("single", 3, FreshStudent()),
        ("single", 2, FreshStudent(ngrams=5_000)),
        ("single", 3, FreshStudent(ngrams=4_096)),
        ("pair", 3, FreshStudent()),
        ("pair", 2, FreshStudent(pair_head="shared")),
        ("pair", 2, FreshStudent(pair_head="shared", ngrams=5_000)),
    ],
)
def test_bundle_answers_as_torch_does(
    exportable: MakeExportable, tmp_path: Path, kind: TaskKind, labels: int, fresh: FreshStudent
) -> None:
    given = exportable(SHAPES[1], kind, ("a", "b", "c")[:labels], fresh=fresh)
    stages: list[str] = []
    report = export_bundle(given, tmp_path / "m.wren", quant="fp32", on_stage=stages.append)
    assert tuple(stages) == STAGES
    json.dumps(asdict(report))
    model = load(tmp_path / "m.wren")
    example = given.sample_texts[3]
    rows = [model._tokenizer.encode(text) for text in example.texts]
    with torch.no_grad():
        if kind == "single":
            ids = torch.tensor(rows[:1])
            answer = given.model(input_ids=ids).logits
            if given.ngrams is not None:
                answer = answer + given.ngrams(ids, torch.ones_like(ids))
            expected = answer[0].numpy()
            found = model.logits(example.text)
        else:
            assert given.head is not None
            pooled = [given.model(input_ids=torch.tensor([ids]))[0].mean(1) for ids in rows]
            if given.ngrams is not None:
                ids = [torch.tensor([row]) for row in rows]
                told = [given.ngrams(row, torch.ones_like(row)) for row in ids]
                pooled = [torch.cat((a[:, :-16], b), 1) for a, b in zip(pooled, told, strict=True)]
            expected = given.head(*pooled)[0].numpy()
            found = model.logits_pair(*example.texts)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_ngrams_may_count_by_their_presence(exportable: MakeExportable, tmp_path: Path) -> None:
    given = exportable(SHAPES[1], "single", ("a", "b"), fresh=FreshStudent(ngrams=5_000))
    assert isinstance(given.ngrams, NgramBag)
    export_bundle(given, tmp_path / "share.wren", quant="fp32")
    given.ngrams.counting = "presence"
    with contextlib.suppress(GateError):  # of agreement: the weights are random
        export_bundle(given, tmp_path / "presence.wren")
    (written,) = tmp_path.glob("presence.wren*")
    text = "alpha beta " * 9
    assert load(written).logits(text) == pytest.approx(load(written).logits(text + "alpha beta"))
    assert abs(load(written).logits(text) - load(tmp_path / "share.wren").logits(text)).max() > 1e-2


def test_manifest_says_what_is_in_the_bundle(exportable: MakeExportable, tmp_path: Path) -> None:
    given = exportable(SHAPES[1], "pair")
    export_bundle(given, tmp_path / "m.wren")
    manifest = read_bundle(tmp_path / "m.wren").manifest
    assert (manifest.task, manifest.architecture) == (given.task, given.architecture)
    assert manifest.provenance == {"teacher": "none"}
    assert manifest.quantisation["weight_bits"] == 8
    assert manifest.metrics["samples"] == len(given.sample_texts)


def test_graph_tells_nothing_of_the_machine(exportable: MakeExportable, tmp_path: Path) -> None:
    export_bundle(exportable(TINY, "pair"), tmp_path / "m.wren")
    data = (tmp_path / "m.wren").read_bytes()
    for word in (str(tmp_path), "site-packages", ".py", "/tmp"):
        assert word.encode() not in data


def test_size_over_budget_fails_and_keeps_the_evidence(
    exportable: MakeExportable, tmp_path: Path
) -> None:
    given, out = exportable(TINY, "single"), tmp_path / "m.wren"
    out.write_bytes(b"the former one")
    with pytest.raises(GateError, match=r"m\.wren: not written, size: .* \(at most 1,000\)") as e:
        export_bundle(given, out, size_budget=1_000)
    assert "\n" not in str(e.value)
    assert out.read_bytes() == b"the former one"
    load(tmp_path / "m.wren.failed")
    export_bundle(given, out, size_budget=1_000_000)
    assert os.listdir(tmp_path) == ["m.wren"]  # noqa: PTH208


def test_wrong_graph_fails_parity(
    exportable: MakeExportable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codewren_export import exporter

    def spoilt(encoder: Encoder) -> onnx.ModelProto:
        assert encoder.head is not None
        out = replace(encoder.head.out, bias=encoder.head.out.bias + np.float32(0.01))
        return text_graph(replace(encoder, head=replace(encoder.head, out=out)))

    monkeypatch.setattr(exporter, "text_graph", spoilt)
    with pytest.raises(GateError, match="parity: the fp32 graph is within"):
        export_bundle(exportable(TINY, "single"), tmp_path / "m.wren")


def test_a_table_of_ngrams_takes_a_byte_a_bucket(
    exportable: MakeExportable, tmp_path: Path
) -> None:
    sizes = []
    for buckets in (0, 4_096, 8_192):
        given = exportable(TINY, "single", ("a", "b"), fresh=FreshStudent(ngrams=buckets))
        sizes.append(export_bundle(given, tmp_path / f"{buckets}.wren").size_bytes)
    # The manifest holds a figure, of two digits or of four.
    assert 4_090 <= sizes[2] - sizes[1] < 4_120
    # Room for no more than that is what search keeps.
    kept = NGRAM_GRAPH_BYTES["single"]
    assert kept - 150 < sizes[1] - sizes[0] - 4_096 <= kept


def test_search_keeps_room_for_a_table_of_traits(
    exportable: MakeExportable, tmp_path: Path
) -> None:
    sizes = []
    for buckets in (0, 4_096, 8_192):
        fresh = FreshStudent(pair_head="shared", ngrams=buckets)
        given = exportable(SHAPES[1], "pair", ("a", "b"), fresh=fresh)
        with contextlib.suppress(GateError):  # of agreement: the weights are random
            export_bundle(given, tmp_path / f"{buckets}.wren")
        (written,) = tmp_path.glob(f"{buckets}.wren*")
        sizes.append(written.stat().st_size)
        written.unlink()
    kept = [SearchSettings(ngrams=n).budget("pair").reserved_bytes for n in (0, 4_096, 8_192)]
    assert 0 <= kept[2] - kept[1] - (sizes[2] - sizes[1]) < 100
    assert 0 <= kept[1] - (sizes[1] - sizes[0]) < 300


def test_model_that_diverged_is_refused(exportable: MakeExportable, tmp_path: Path) -> None:
    given = exportable(TINY, "single")
    with torch.no_grad():
        next(given.model.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        export_bundle(given, tmp_path / "m.wren")
    assert not list(tmp_path.iterdir())


def test_bad_options(exportable: MakeExportable, tmp_path: Path) -> None:
    given = exportable(TINY, "single")
    with pytest.raises(OptionError, match="quant must be auto, int8"):
        export_bundle(given, tmp_path / "m.wren", quant="int2")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="is a folder"):
        export_bundle(given, tmp_path)
    with pytest.raises(OptionError, match="at least one sample"):
        replace(given, sample_texts=[])
    with pytest.raises(OptionError, match="does not fit"):
        replace(given, sample_texts=[Example("a", "b")])
    with pytest.raises(ModelError, match="cannot be shipped"):
        replace(given, kind="siamese")
    with pytest.raises(ModelError, match="cannot be shipped"):
        replace(given, task=replace(given.task, kind="pair"))


SCRIPT = """
import sys, importlib.util
from pathlib import Path
spec = importlib.util.spec_from_file_location("shared", sys.argv[1])
shared = importlib.util.module_from_spec(spec); spec.loader.exec_module(shared)
class Factory:
    def mktemp(self, name):
        path = Path(sys.argv[2]) / name; path.mkdir(); return path
tokenizer = shared.train_tokenizer(shared.CODES, 320, "structure")
make = shared.exportable.__wrapped__(Factory(), tokenizer)
from codewren_export import export_bundle
from codewren_runtime.types import Architecture
export_bundle(make(Architecture(320, 32, 2, 4, 48, 64), "pair"), Path(sys.argv[2]) / "m.wren")
"""


@pytest.mark.slow
def test_same_input_gives_the_same_bytes_and_not_a_word(tmp_path: Path) -> None:
    """In two processes with other hash seeds; and nothing is printed."""
    processes = []
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        arguments = [str(Path(__file__).with_name("conftest.py")), str(tmp_path / seed)]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", SCRIPT, *arguments],
                env={**os.environ, "PYTHONHASHSEED": seed},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
    assert [process.communicate()[0] for process in processes] == [b"", b""]
    assert [process.returncode for process in processes] == [0, 0]
    first, second = ((tmp_path / seed / "m.wren").read_bytes() for seed in ("1", "2"))
    assert first == second


LABELLED = [Example(f"def f{i}(x):\n    return x + {i}", None, i % 2) for i in range(40)]


def test_calibration_is_of_what_ships(exportable: MakeExportable, tmp_path: Path) -> None:
    made = exportable(TINY, "single")
    given = replace(
        made,
        task=made.task,
        labelled=LABELLED,
        long_inputs="split-mean",
    )
    report = export_bundle(given, tmp_path / "m.wren")
    manifest = read_bundle(tmp_path / "m.wren").manifest
    assert manifest.long_inputs == "split-mean"
    assert manifest.decision.to_json() == report.decision
    assert manifest.decision.calibration["rows"] == 40
    model = load(tmp_path / "m.wren")
    logits = np.stack([model.logits(example.text) for example in LABELLED]).astype(np.float64)
    labels = np.array([example.label for example in LABELLED])
    assert manifest.decision.temperature == pytest.approx(fit_temperature(logits, labels), abs=1e-5)
    prediction = model.predict(LABELLED[0].text)
    assert prediction.label == model.labels[int(logits[0].argmax())]


def test_rows_to_calibrate_on_must_fit(exportable: MakeExportable, tmp_path: Path) -> None:
    given = exportable(TINY, "single")
    with pytest.raises(OptionError, match="needs a label"):
        replace(given, labelled=[Example("a")])
    with pytest.raises(OptionError, match="does not fit"):
        replace(given, labelled=[Example("a", "b", 0)])
    with pytest.raises(OptionError, match="split-max"):
        replace(given, long_inputs="split-max")
    with pytest.raises(OptionError, match="at least 30"):
        export_bundle(replace(given, labelled=LABELLED[:9]), tmp_path / "m.wren")
    assert not list(tmp_path.iterdir())


def test_auto_takes_the_fastest_that_passes_and_shows_the_others(
    exportable: MakeExportable, tmp_path: Path
) -> None:
    given = exportable(SHAPES[1], "single")
    labelled = [replace(example, label=i % 3) for i, example in enumerate(given.sample_texts)]
    out = tmp_path / "m.wren"
    report = export_bundle(replace(given, sample_texts=labelled), out, quant="auto")
    rows = {row["quant"]: row for row in report.trials}
    assert tuple(rows) == QUANTS
    assert report.accuracy_change is not None
    passed = [row for row in rows.values() if row["passed"]]
    best = min(row["p50_ms"] for row in passed)
    assert rows[report.quant] in passed
    assert rows[report.quant]["p50_ms"] <= 1.03 * best
    assert rows[report.quant]["size_bytes"] == report.size_bytes == out.stat().st_size
    assert all(0 < row["p50_ms"] <= row["p95_ms"] for row in rows.values())
    assert read_bundle(out).manifest.quantisation["quant"] == report.quant
    json.dumps(asdict(report))


def test_auto_keeps_to_the_budget(exportable: MakeExportable, tmp_path: Path) -> None:
    given, out = exportable(SHAPES[3], "single"), tmp_path / "m.wren"
    fp16 = export_bundle(given, out, quant="fp16").size_bytes
    report = export_bundle(given, out, quant="auto", size_budget=fp16 - 1)
    assert report.size_bytes < fp16
    assert not {row["quant"] for row in report.trials if row["passed"]} & {"fp16", "fp32"}
    with pytest.raises(GateError, match="size"):
        export_bundle(given, out, quant="auto", size_budget=1_000)


@pytest.mark.parametrize("quant", QUANTS)
@pytest.mark.parametrize(
    ("kind", "fresh"),
    [
        ("single", FreshStudent()),
        ("single", FreshStudent(ngrams=4_096)),
        ("pair", FreshStudent()),
        ("pair", FreshStudent(pair_head="shared")),
        ("pair", FreshStudent(pair_head="shared", ngrams=4_096)),
    ],
)
def test_every_precision_is_a_bundle_that_loads(
    exportable: MakeExportable, tmp_path: Path, quant: Quant, kind: TaskKind, fresh: FreshStudent
) -> None:
    given, out = exportable(SHAPES[1], kind, ("a", "b"), fresh=fresh), tmp_path / "m.wren"
    # Labels of random weights are a coin's toss: the gate of agreement may refuse them.
    with contextlib.suppress(GateError):
        export_bundle(given, out, quant=quant)
    written = out if out.is_file() else out.with_name("m.wren.failed")
    model = load(written)
    texts = given.sample_texts[0].texts
    logits = model.logits(*texts) if kind == "single" else model.logits_pair(*texts)
    assert np.isfinite(logits).all()
    assert read_bundle(written).manifest.quantisation["quant"] == quant
