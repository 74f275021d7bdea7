from __future__ import annotations

import random

import numpy as np
import torch

from codewren_distill.classifier import Classifier
from codewren_distill.cooccurrence import SPREAD, cooccurrence_embeddings, initialise_embeddings


def test_tokens_with_the_same_neighbours_are_near_each_other() -> None:
    rng = random.Random(0)
    # 10 and 11 stand among 20 to 29, 12 and 13 among 30 to 39.
    texts = []
    for _ in range(400):
        group = rng.randrange(2)
        around = rng.choices(range(20 + 10 * group, 30 + 10 * group), k=8)
        around.insert(4, 10 + 2 * group + rng.randrange(2))
        texts.append([0, *around, 2])
    table = cooccurrence_embeddings(texts, 60, 8, seed=0)
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    assert unit[10] @ unit[11] > 0.8
    assert unit[12] @ unit[13] > 0.8
    assert unit[10] @ unit[12] < 0.5
    assert len(np.unique(table, axis=0)) == 60  # even tokens that were never seen
    assert abs(table.std() - SPREAD) < 0.01


def test_the_same_texts_and_seed_give_the_same_start(single: Classifier) -> None:
    texts = ["alpha beta gamma", "x = 1 return y"] * 5
    tables = []
    for _ in range(2):
        initialise_embeddings(single.core, single.text.tokenizer, texts, seed=4)
        tables.append(single.core.get_input_embeddings().weight.detach().clone())
    assert torch.equal(*tables)


def test_texts_of_a_single_token_leave_noise(single: Classifier) -> None:
    initialise_embeddings(single.core, single.text.tokenizer, [""], seed=0)
    assert torch.isfinite(single.core.get_input_embeddings().weight).all()
