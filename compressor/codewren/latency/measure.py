"""Measure architectures as they ship: int8 bundles of random weights, from text to answer."""

from __future__ import annotations

import random
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from codewren.latency.model import Measurement
from codewren.search.cost import count_flops, count_parameters
from codewren_runtime.bundle import HEAD, MODEL, Bundle, FileInfo, Manifest
from codewren_runtime.model import Model
from codewren_runtime.tokenizer import CodeTokenizer
from codewren_runtime.types import Architecture, Example, Task, TaskKind

__all__ = [
    "VOCABULARIES",
    "Probe",
    "bundle_of",
    "kinds_of",
    "least",
    "random_architectures",
    "source_text",
]

VOCABULARIES = (500, 2_000, 8_000)
CHARACTERS = (40, 150, 400, 950, 2_000)
HEADS = (1, 2, 3, 4, 6, 8, 12, 16)
MAX_PARAMETERS, MAX_FLOPS = 4_000_000, 6_000_000_000

BUDGET_SECONDS = 0.04  # of CPU time for each text, after one prediction to warm up
LEAST_RUNS, MOST_RUNS = 3, 100


def random_architectures(count: int, seed: int) -> list[Architecture]:
    """Seeded, all different, spread evenly over the logarithm of each size; none too slow."""
    rng = random.Random(seed)
    found: dict[Architecture, None] = {}
    while len(found) < count:
        shape = _random(rng)
        small = count_parameters(shape, "single", 2) <= MAX_PARAMETERS
        if small and count_flops(shape, "single", 2) <= MAX_FLOPS:
            found[shape] = None
    return list(found)


def _random(rng: random.Random) -> Architecture:
    heads, shared = rng.choice(HEADS), rng.choice((1, 1, 1, 2, 3))
    hidden = max(1, round(32 * 16 ** rng.random() / heads)) * heads
    return Architecture(
        vocab_size=rng.choice(VOCABULARIES),
        hidden_size=hidden,
        num_layers=max(1, round(12 ** rng.random() / shared)) * shared,
        num_heads=heads,
        intermediate_size=round(32 * 48 ** rng.random()),
        max_length=512,
        embedding_size=rng.choice((0, 0, min(64, hidden))),
        shared_layers=shared,
    )


def bundle_of(architecture: Architecture, kind: TaskKind, tokenizer_json: str) -> Bundle:
    """A bundle of random weights, as export makes one at 8 bits."""
    from codewren_distill.models import SiameseModel
    from codewren_distill.student import build_student
    from codewren_export import Exportable
    from codewren_export.families import read_encoder
    from codewren_export.graph import text_graph
    from codewren_export.quiet import quiet
    from codewren_export.reference import head_graph
    from codewren_export.weights import store_weights

    task = Task("calibration", kind, ("no", "yes"))
    student = build_student(architecture, task, tokenizer_json, seed=0)
    head = student.model.head if isinstance(student.model, SiameseModel) else None
    exportable = Exportable(
        task,
        architecture,
        "sequence" if head is None else "siamese",
        student.core.eval(),
        head,
        tokenizer_json,
        [Example("a", None if head is None else "b")],
    )
    graphs = {MODEL: text_graph(read_encoder(exportable))}
    if head is not None:
        with quiet(), tempfile.TemporaryDirectory(prefix="codewren-calibrate-") as folder:
            graphs[HEAD] = head_graph(head, architecture.hidden_size, Path(folder))
    parts = {
        name: store_weights(graph, 8).SerializeToString(deterministic=True)
        for name, graph in graphs.items()
    }
    manifest = Manifest(task, architecture, {name: FileInfo.of(p) for name, p in parts.items()})
    size = sum(map(len, parts.values())) + len(tokenizer_json)
    return Bundle(
        Path("calibration"), manifest, parts[MODEL], tokenizer_json, parts.get(HEAD), size
    )


def source_text() -> str:
    """Real code of a few hundred kilobytes that every machine has: modules of this Python."""
    library = Path(sysconfig.get_path("stdlib"))
    names = ("argparse.py", "ast.py", "datetime.py", "inspect.py", "tarfile.py")
    found = [library / name for name in names if (library / name).is_file()]
    return "\n".join(path.read_text(encoding="utf-8") for path in found)


class Probe:
    """A bundle with the texts to time on it: seeded cuts of `source`, of several lengths."""

    def __init__(self, bundle: Bundle, source: str, seed: int) -> None:
        self.shape, self.task = bundle.manifest.architecture, bundle.manifest.task
        model, rng = Model(bundle), random.Random(seed)
        self.predict = model.logits if self.task.kind == "single" else model.embed
        begins = [rng.randrange(len(source) - characters) for characters in CHARACTERS]
        self.texts = [source[b : b + c] for b, c in zip(begins, CHARACTERS, strict=True)]
        tokenizer = CodeTokenizer(
            bundle.tokenizer_json, self.shape.max_length, self.task.normalisation
        )
        self.tokens = [len(tokenizer.encode(text)) for text in self.texts]

    def measure(self) -> list[Measurement]:
        """Median of several predictions of each text, on one thread.

        CPU time of this thread, which does all the work: on an idle machine the same as wall
        time, on a busy one nearer to what an idle one would take.
        """
        return [
            Measurement(self.shape, self.task.kind, len(text), tokens, self._milliseconds(text))
            for text, tokens in zip(self.texts, self.tokens, strict=True)
        ]

    def _milliseconds(self, text: str) -> float:
        self.predict(text)
        times: list[float] = []
        while len(times) < LEAST_RUNS or (sum(times) < BUDGET_SECONDS and len(times) < MOST_RUNS):
            start = time.thread_time()
            self.predict(text)
            times.append(time.thread_time() - start)
        return 1e3 * median(times)


def least(passes: Iterable[Sequence[Measurement]]) -> list[Measurement]:
    """Of the same measurements taken several times, the least: neighbours can only slow down."""
    return [min(same, key=lambda m: m.milliseconds) for same in zip(*passes, strict=True)]


def kinds_of(architectures: Sequence[Architecture]) -> list[tuple[Architecture, TaskKind]]:
    """Every second one as a pair model: its graph computes the last layer for every token."""
    return [(a, "pair" if i % 2 else "single") for i, a in enumerate(architectures)]
