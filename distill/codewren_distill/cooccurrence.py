"""Start a student's token embeddings from which tokens stand near each other in the code.

A student this small sees too little code to learn its embeddings from the task alone. Positive
pointwise mutual information within a window, factorised by a truncated SVD, is as good as
word2vec's at this scale and takes seconds (Levy & Goldberg, NIPS 2014; the smoothed context
counts are those of Levy, Goldberg & Dagan, TACL 2015, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.utils.extmath import randomized_svd

from codewren_distill.text_side import Tokenizes
from codewren_runtime.tokenizer import SPECIAL_TOKENS

__all__ = ["cooccurrence_embeddings", "initialise_embeddings"]

WINDOW = 5
CONTEXT_POWER = 0.75
SPREAD = 0.05  # standard deviation of the embeddings; transformers starts from 0.02
NOISE = 0.002  # tokens that were never seen must differ, too
CHUNK = 2_000_000  # tokens counted at a time


def initialise_embeddings(core: Any, tokenizer: Tokenizes, texts: Iterable[str], seed: int) -> None:
    """Replace the token embeddings of a fresh transformers model by those of `texts`, in place."""
    table = core.get_input_embeddings().weight
    encoded = (tokenizer.encode(text) for text in texts)
    vocab_size, width = table.shape
    values = cooccurrence_embeddings(encoded, vocab_size, width, seed)
    with torch.no_grad():
        table.copy_(torch.from_numpy(values))


def cooccurrence_embeddings(
    texts: Iterable[Sequence[int]], vocab_size: int, width: int, seed: int
) -> NDArray[np.float32]:
    """Embeddings (vocab_size, width) of token ids from the texts that they stand in."""
    counts = _near_counts(texts, vocab_size)
    rows = np.maximum(np.asarray(counts.sum(1))[:, 0], 1e-9)
    contexts = rows**CONTEXT_POWER
    entries = counts.tocoo()
    information = np.log(
        entries.data * contexts.sum() / (rows[entries.row] * contexts[entries.col])
    )
    positive = information > 0
    matrix = csr_matrix(
        (information[positive], (entries.row[positive], entries.col[positive])),
        shape=counts.shape,
    )
    left, singular, _ = randomized_svd(matrix, width, n_iter=2, random_state=seed)
    values = left * np.sqrt(singular)
    values *= SPREAD / max(float(values.std()), 1e-9)
    values += np.random.default_rng(seed).normal(0, NOISE, values.shape)
    return np.asarray(values, dtype=np.float32)


def _near_counts(texts: Iterable[Sequence[int]], vocab_size: int) -> Any:
    """How often two tokens stand within a window, nearer ones weighing more; symmetric."""
    counts = csr_matrix((vocab_size, vocab_size), dtype=np.float32)
    tokens: list[int] = []
    gap = [0] * WINDOW  # ids of special tokens are not counted: no window reaches across texts
    for ids in texts:
        tokens += [*ids, *gap]
        if len(tokens) >= CHUNK:
            counts = counts + _count(np.array(tokens), vocab_size)
            tokens = []
    if tokens:
        counts = counts + _count(np.array(tokens), vocab_size)
    return counts + counts.T


def _count(tokens: NDArray[np.int64], vocab_size: int) -> Any:
    parts = []
    for distance in range(1, WINDOW + 1):
        first, second = tokens[:-distance], tokens[distance:]
        ordinary = (first >= len(SPECIAL_TOKENS)) & (second >= len(SPECIAL_TOKENS))
        weights = np.full(int(ordinary.sum()), 1 / distance, dtype=np.float32)
        places = (first[ordinary], second[ordinary])
        parts.append(coo_matrix((weights, places), shape=(vocab_size, vocab_size)).tocsr())
    return sum(parts[1:], parts[0])
