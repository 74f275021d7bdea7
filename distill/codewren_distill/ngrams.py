"""A linear model of token n-grams beside the encoder, as wide as the encoder is deep.

On small data sets of code a linear model of n-grams beats encoders that were not pre-trained on
code, and costs almost nothing. Here it is a table of weights by hashed bigram and trigram of
tokens; a text's score is the mean over its n-grams (fastText: Joulin et al., EACL 2017, with the
weights of a "wide and deep" sum: Cheng et al., DLRS 2016), or the sum over those that it holds at
all, once each, over the square root of their number (Joachims, ECML 1998): held-out rows say
which. The table is fitted first, by logistic regression, and stays; the encoder then learns what it
leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import one_hot

from codewren_runtime.errors import DataError

if TYPE_CHECKING:
    from codewren_distill.text_side import Encoded

__all__ = [
    "Counting",
    "Floats",
    "NgramBag",
    "TraitBag",
    "fit_ngrams",
    "shares_of",
    "vectors",
]

Floats = NDArray[np.float64]
Counting = Literal["share", "presence"]

MULTIPLIER = 1_000_003
# Of a text's vector, so that coefficients are neither tiny nor huge.
SCALE: Mapping[Counting, float] = {"share": 10.0, "presence": 1.0}
INVERSE_PENALTIES = (3.0, 10.0, 30.0, 100.0)
HELD_OUT = 10  # one row in so many chooses the penalty,
LEAST = 100  # if there are more rows than these


class NgramBag(nn.Module):
    """Logits (n, labels) of token ids (n, length), by the weights of their n-grams.

    `table` (buckets, labels - 1) holds each bucket's weight for every label but the first,
    whose logit is 0; `bias` (labels - 1,). `counting` says what an n-gram counts that a text holds
    more than once: its `share` of all, or its `presence`. Texts have at least two tokens.
    """

    multiplier = MULTIPLIER

    def __init__(self, buckets: int, columns: int, counting: Counting = "share") -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(buckets, columns), requires_grad=False)
        self.bias = nn.Parameter(torch.zeros(columns), requires_grad=False)
        self.counting = counting

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (n, length) to logits (n, labels)."""
        scores = self.scores(input_ids, attention_mask)
        return torch.cat((torch.zeros_like(scores[:, :1]), scores), dim=1)

    def scores(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (n, length) to scores (n, columns) of the table's columns."""
        real = torch.cat((attention_mask[:, 1:], attention_mask[:, 2:]), dim=1)
        buckets = self.hashes(input_ids)
        if self.counting == "share":
            counts = real.float().unsqueeze(-1)
            total = (self.table[buckets] * counts).sum(1)
            return total / counts.sum(1) + self.bias
        buckets = buckets.masked_fill(real == 0, -1).sort(dim=1).values
        # Of those that are equal, and so side by side, the first counts; padding's are below 0.
        before = torch.cat((torch.full_like(buckets[:, :1], -1), buckets[:, :-1]), dim=1)
        held = (buckets != before).float().unsqueeze(-1)
        total = (self.table[buckets.clamp(min=0)] * held).sum(1)
        return total / held.sum(1).sqrt() + self.bias

    def hashes(self, input_ids: Tensor) -> Tensor:
        """Buckets (n, 2 * length - 3) of the bigrams, then the trigrams, of ids (n, length)."""
        buckets = len(self.table)
        two = (input_ids[:, :-1] * MULTIPLIER + input_ids[:, 1:]) % buckets
        three = (two[:, :-1] * MULTIPLIER + input_ids[:, 2:]) % buckets
        return torch.cat((two, three), dim=1)


class TraitBag(NgramBag):
    """Scores (n, traits) of token ids (n, length): do their n-grams tell the trait?

    `table` (buckets, traits), `bias` (traits,); `codewren_distill.ngram_traits` fits it.
    """

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Token ids and mask (n, length) to scores (n, traits)."""
        return self.scores(input_ids, attention_mask)


def fit_ngrams(bag: NgramBag, encoded: Sequence[Encoded], shares: Floats, seed: int) -> None:
    """Fit the table in place; `shares` (n, labels) are the probabilities of each row's labels.

    Deterministic. What an n-gram counts, and the penalty, are what a tenth of the rows likes best.
    """
    rows: dict[Counting, csr_matrix] = {
        counting: vectors(bag, [ids for (ids,) in encoded], counting)
        for counting in ("share", "presence")
    }
    held_out = np.arange(len(shares)) % HELD_OUT == 0

    def loss(choice: tuple[Counting, float]) -> float:
        counting, inverse_penalty = choice
        known, asked = rows[counting][~held_out], rows[counting][held_out]
        weights, bias = _regression(known, shares[~held_out], inverse_penalty, seed)
        log_shares = log_softmax(np.pad(asked @ weights + bias, ((0, 0), (1, 0))), axis=1)
        return float(-(shares[held_out] * log_shares).sum())

    can_choose = len(shares) > LEAST and _labels_in(shares[~held_out]) > 1
    choices = list(product(rows, INVERSE_PENALTIES))
    counting, penalty = min(choices, key=loss) if can_choose else choices[0]
    weights, bias = _regression(rows[counting], shares, penalty, seed)
    bag.counting = counting
    with torch.no_grad():
        bag.table.copy_(torch.from_numpy(weights * SCALE[counting]))
        bag.bias.copy_(torch.from_numpy(bias))


def vectors(bag: NgramBag, texts: Sequence[Sequence[int]], counting: Counting) -> csr_matrix:
    """What each bucket counts in each text, (n, buckets)."""
    columns, values, ends = [], [], [0]
    for ids in texts:
        hashes = bag.hashes(torch.tensor([ids]))[0].numpy()
        found, counts = np.unique(hashes, return_counts=True)
        columns.append(found)
        if counting == "share":
            values.append(SCALE[counting] * counts / len(hashes))
        else:
            values.append(np.full(len(found), SCALE[counting] / np.sqrt(len(found))))
        ends.append(ends[-1] + len(found))
    parts = np.concatenate(values), np.concatenate(columns), np.array(ends)
    return csr_matrix(parts, shape=(len(texts), len(bag.table)))


def shares_of(targets: Tensor, num_labels: int, hard_weight: float = 0.0) -> Floats:
    """Each label's probability (n, labels), of label indices (n,) or logits (n, labels).

    With `hard_weight` a column beside the logits has each row's label, which has that share of it.
    """
    if targets.ndim == 1:
        probabilities = one_hot(targets, num_labels).double()
    else:
        probabilities = torch.softmax(targets[:, :num_labels].double(), dim=-1)
    if hard_weight:
        labels = one_hot(targets[:, num_labels].long(), num_labels).double()
        probabilities = (1 - hard_weight) * probabilities + hard_weight * labels
    return np.asarray(probabilities.numpy(), dtype=np.float64)


def _labels_in(shares: Floats) -> int:
    """How many labels any row has a share of."""
    return int((shares > 0).any(axis=0).sum())


def _regression(
    rows: csr_matrix, shares: Floats, inverse_penalty: float, seed: int
) -> tuple[Floats, Floats]:
    """Weights (buckets, labels - 1) and bias (labels - 1,) against the first label's 0."""
    if _labels_in(shares) < 2:
        raise DataError("n-grams need rows of at least two labels; the data has one")
    columns = range(shares.shape[1]) if shares.shape[1] > 2 else (1,)
    fits = [_binary(rows, shares[:, column], inverse_penalty, seed) for column in columns]
    weights = np.stack([weight for weight, _ in fits], axis=1)
    bias = np.array([bias for _, bias in fits])
    if len(fits) == 1:
        return weights, bias
    return weights[:, 1:] - weights[:, :1], bias[1:] - bias[0]  # one against the rest, each


def _binary(
    rows: csr_matrix, share: Floats, inverse_penalty: float, seed: int
) -> tuple[Floats, float]:
    """Logistic regression on a share: each row is both, weighted by its share of each.

    What no row has a share of, a label of a fold that was left out, say, is rarer than one of them.
    """
    weights = np.concatenate((1 - share, share))
    kept = weights > 0
    stacked = vstack([rows, rows], format="csr")[kept]
    is_it = np.repeat([0, 1], len(share))[kept]
    if is_it.max() == 0:
        return np.zeros(rows.shape[1]), -float(np.log(2 * len(share)))
    model: Any = LogisticRegression(
        C=inverse_penalty, solver="liblinear", tol=1e-2, random_state=seed
    )
    model.fit(stacked, is_it, sample_weight=weights[kept])
    return model.coef_[0], float(model.intercept_[0])
