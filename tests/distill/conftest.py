from __future__ import annotations

import random

import pytest
import torch

from codewren_distill.classifier import Classifier
from codewren_distill.student import build_student
from codewren_distill.vocabulary import train_tokenizer
from codewren_runtime.types import Architecture, Example, Task

# Models this small only lose by more threads, badly where the machine is busy.
torch.set_num_threads(1)

TINY = Architecture(300, 16, 1, 2, 16, 32)
SHARING = Architecture(300, 16, 2, 2, 16, 32, embedding_size=8, shared_layers=2)
WORDS = ("alpha", "beta", "gamma", "delta", "x = 1", "return y", "for i in z:")


def texts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(2, 9))) for _ in range(count)]


@pytest.fixture(scope="session")
def tokenizer_json() -> str:
    return train_tokenizer(texts(200), TINY.vocab_size, "structure")


@pytest.fixture(scope="session")
def single_task() -> Task:
    return Task("safety", "single", ("safe", "vulnerable"))


@pytest.fixture(scope="session")
def pair_task() -> Task:
    return Task("clones", "pair", ("different", "clone"))


@pytest.fixture(params=[TINY, SHARING], ids=["plain", "factorised and shared"])
def shape(request: pytest.FixtureRequest) -> Architecture:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def single(shape: Architecture, single_task: Task, tokenizer_json: str) -> Classifier:
    return build_student(shape, single_task, tokenizer_json, seed=1)


@pytest.fixture
def pair(shape: Architecture, pair_task: Task, tokenizer_json: str) -> Classifier:
    return build_student(shape, pair_task, tokenizer_json, seed=1)


@pytest.fixture(scope="session")
def single_examples() -> list[Example]:
    return [Example(text, label=int("alpha" in text)) for text in texts(120)]


@pytest.fixture(scope="session")
def pair_examples() -> list[Example]:
    left, right = texts(60, 1), texts(60, 2)
    same = [Example(text, text, 1) for text in left]
    return same + [Example(a, b, 0) for a, b in zip(left, right, strict=True)]
