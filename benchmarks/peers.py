"""What our students are timed beside, made on the spot; weights are random where none are had.

Weights change neither time nor bytes. All read the same texts with the published student's
vocabulary (its own file where there is one), so all transformers read the same tokens.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codewren.bench.contestants import Contestant, in_torch, of_model
from codewren.budget import Budget
from codewren.latency.measure import bundle_of
from codewren.latency.store import load_model
from codewren.progress import Silent
from codewren.search import load_space, search
from codewren.verbs.calibrate import calibrate
from codewren_distill.classifier import Classifier
from codewren_distill.published import read_published
from codewren_distill.student import build_student
from codewren_distill.vocabulary import train_tokenizer
from codewren_export import Exportable, export_bundle
from codewren_export.families import read_encoder
from codewren_export.graph import text_graph
from codewren_export.quantise import quantise
from codewren_runtime import Model, load
from codewren_runtime._session import Session
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Architecture, Example, Task

__all__ = ["codebert", "linear", "published", "searched", "static", "student_shape"]

PUBLISHED = Architecture(1000, 96, 12, 8, 64, 400)
CODEBERT = Architecture(50_265, 768, 12, 12, 3_072, 400)
STATIC_VOCABULARY, STATIC_WIDTH = 8_000, 256
LATENCY_MS, SIZE_BYTES = 5.0, 3_000_000


def published_classifier(folder: Path | None, texts: Sequence[str]) -> Classifier:
    """The published 3 MB student, or its shape with random weights where it is not at hand."""
    if folder is not None:
        return read_published(folder, "vulnerability", heads=8).classifier
    task = Task("benchmark", "single", ("safe", "vulnerable"), "published")
    tokenizer = train_tokenizer(texts, PUBLISHED.vocab_size, task.normalisation)
    return build_student(PUBLISHED, task, tokenizer, seed=0)


def published(classifier: Classifier, texts: Sequence[str]) -> list[Contestant]:
    """As published: torch, padded to 400; and as our exporter ships it."""
    tokenizer = classifier.text.tokenizer
    assert isinstance(tokenizer, CodeTokenizer)
    exportable = Exportable(
        classifier.task, PUBLISHED, "sequence", classifier.core, None, tokenizer.to_json(),
        [Example(text) for text in texts[:20]],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "published.wren"
        export_bundle(exportable, path)
        model = load(path)
    return [
        in_torch(
            "published 3 MB student, torch, padded to 400", tokenizer.encode, classifier.core,
            padded=PUBLISHED.max_length, padding_id=tokenizer.pad_id,
        ),
        of_model("published 3 MB student, our exporter", model),
    ]  # fmt: skip


def codebert(tokenizer: CodeTokenizer, shape: Architecture = CODEBERT) -> list[Contestant]:
    """CodeBERT's shape: torch in fp32, padded as published and not, and onnxruntime in int8.

    In int8 it runs our own graph without a mask through onnxruntime's dynamic quantizer: faster
    than what torch's exporter writes.
    """
    task = Task("codebert", "single", ("no", "yes"), tokenizer.normalisation)
    model = build_student(shape, task, tokenizer.to_json(), seed=0).core
    exportable = Exportable(
        task, shape, "sequence", model, None, tokenizer.to_json(), [Example("a")]
    )
    graph = quantise(text_graph(read_encoder(exportable)), "int8-dynamic", []).SerializeToString()
    session = Session("codebert", graph, {"input_ids": "tensor(int64)"}, "logits", 2)
    names = [f"CodeBERT's shape, {way}" for way in
             ("torch fp32, padded to 400", "torch fp32", "onnxruntime int8")]  # fmt: skip
    return [
        in_torch(names[0], tokenizer.encode, model, padded=400, padding_id=tokenizer.pad_id),
        in_torch(names[1], tokenizer.encode, model),
        Contestant(
            names[2],
            lambda text: session.run(input_ids=np.array([tokenizer.encode(text)])),
            len(graph),
        ),
    ]


def student_shape() -> Architecture:
    """What search answers for 3 MB and 5 ms in the wide space, on this CPU."""
    calibrate(Silent())
    model = load_model()
    assert model is not None
    budget = Budget(SIZE_BYTES, 8, LATENCY_MS, model.p90_error)
    found = search(load_space("wide"), budget, "single", 2, timing=model.timing(950))
    return found.architecture


def searched(shape: Architecture, texts: Sequence[str]) -> Contestant:
    """A student of that shape, random weights, its vocabulary trained on the texts."""
    tokenizer = train_tokenizer(texts, shape.vocab_size, "structure")
    name = f"our student, hidden {shape.hidden_size}, {shape.num_layers} layers, random weights"
    return of_model(name, Model(bundle_of(shape, "single", tokenizer)))


def static(texts: Sequence[str]) -> Contestant:
    """model2vec: the mean of static token embeddings, and a linear head."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(train_tokenizer(texts, STATIC_VOCABULARY, "structure"))
    size = tokenizer.get_vocab_size()
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((size, STATIC_WIDTH)).astype(np.float32)
    head = rng.standard_normal((STATIC_WIDTH, 2)).astype(np.float32)
    model = StaticModel(vectors, tokenizer)
    return Contestant(
        f"model2vec, {size:,} static embeddings of {STATIC_WIDTH}",
        lambda text: (model.encode([text]) @ head).argmax(),
        vectors.nbytes + head.nbytes,
    )


def linear(texts: Sequence[str], seed: int) -> Contestant:
    """The floor: logistic regression on TF-IDF of characters, as `compress evaluate` trains it.

    On labels drawn by chance: they do not change its cost.
    """
    from codewren import baselines

    labels = np.random.default_rng(seed).integers(2, size=len(texts))
    labels[:2] = 0, 1
    vectorizer, model = baselines._new_parts("single", 2, seed)
    model.fit(vectorizer.fit_transform(texts), labels)
    return Contestant(
        "TF-IDF linear",
        lambda text: model.predict_proba(vectorizer.transform([text])),
        baselines._size(vectorizer, model),
    )
