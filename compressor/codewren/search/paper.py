"""The cost formula that the paper's search used, with the faults that it has.

Source: Shi et al., "Compressing Pre-trained Models of Code into 3 MB" (ASE 2022), section
3.1, and the formula of their replication package, which follows ELECTRA's count of FLOPs.
It is kept to reproduce the published search, and over-counts a real student's FLOPs 1.6 to
1.9 times:

- inputs of 514 tokens, where the models read 400;
- the embedding as a product of a one-hot row with the whole table, and position
  embeddings likewise;
- the classifier once per token, where it runs once per text;
- dropout (4 FLOPs an element), which inference does not run;
- one of the two layer norms of a block as 5 FLOPs in all, not 5 per element;
- parameters of a pooler that the model does not have.

The published configuration (vocabulary 1000, hidden 96, layers 12, heads 8, intermediate 64)
counts 765,410 parameters and 2.2532 GFLOPs. A megabyte is 1,000,000 bytes of fp32 weights,
and nothing but weights counts: no tokenizer, no graph.
"""

from __future__ import annotations

import numpy as np

from codewren.search.cost import Costs, Count, Genes, Shapes

__all__ = ["PAPER_LENGTH", "paper_bytes", "paper_cost", "paper_flops", "paper_parameters"]

PAPER_LENGTH = 514

_LABELS = 2
_DROPOUT = 4
_LAYER_NORM = 5
_ACTIVATION = 8
_SOFTMAX = 5


def paper_parameters(shape: Genes[Count]) -> Count:
    """Parameters by the paper's count: 514 positions and a pooler, two labels."""
    h, i = shape.hidden_size, shape.intermediate_size
    embeddings = h * (shape.vocab_size + PAPER_LENGTH + 3)
    layer = 4 * h * (h + 1) + h * (2 * i + 1) + i + 4 * h
    head = 2 * h * (h + 1) + _LABELS * (h + 1)
    return embeddings + shape.num_layers * layer + head


def paper_flops(shape: Genes[Count]) -> Count:
    """FLOPs of one text by the paper's count, at 514 tokens whatever `max_length` is."""
    n, h, i = PAPER_LENGTH, shape.hidden_size, shape.intermediate_size
    products = 8 * h * h + 4 * h * i + 4 * h * n
    # Per head and key: softmax, dropout, and the scaling of the score.
    scores = (_SOFTMAX + _DROPOUT + 1) * n * shape.num_heads
    # Per element: five biases and two residuals, two dropouts, and the one layer norm that
    # is counted in full.
    elements = (7 + 2 * _DROPOUT + _LAYER_NORM) * h + _LAYER_NORM
    activations = (_ACTIVATION + 1) * i
    layer = products + scores + elements + activations
    embeddings = 2 * h * (shape.vocab_size + n + 2) + (2 + _LAYER_NORM + _DROPOUT) * h
    head = 2 * h * h + (1 + _DROPOUT + _ACTIVATION) * h + 2 * h  # one logit
    flops: Count = n * (shape.num_layers * layer + embeddings + head)
    return flops


def paper_bytes(shape: Genes[Count]) -> Count:
    """Bytes by the paper's count: four per parameter."""
    return 4 * paper_parameters(shape)


def paper_cost(shapes: Shapes) -> Costs:
    """The paper's cost model; the task's kind and labels do not enter."""
    parameters, flops, size_bytes = np.broadcast_arrays(
        paper_parameters(shapes), paper_flops(shapes), paper_bytes(shapes)
    )
    return Costs(parameters, flops, flops, size_bytes)
