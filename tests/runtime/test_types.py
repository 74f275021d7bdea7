from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren_runtime.errors import OptionError
from codewren_runtime.types import Architecture

architectures = st.builds(
    lambda heads, size, shared, groups, share: Architecture(
        1000, heads * size, shared * groups, heads, 8, 16, min(share, heads * size), shared
    ),
    st.integers(1, 8),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 96),
)


@given(architectures)
def test_an_architecture_survives_json(architecture: Architecture) -> None:
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_the_genes_beyond_the_paper_may_be_left_out() -> None:
    plain = {"vocab_size": 1000, "hidden_size": 96, "num_layers": 12, "num_heads": 8}
    published = Architecture.from_json({**plain, "intermediate_size": 64})
    assert published == Architecture(1000, 96, 12, 8, 64, 400, 96, 1)
    assert published.family == "roberta"


@pytest.mark.parametrize(("embedding_size", "shared_layers"), [(32, 1), (0, 2), (32, 4)])
def test_either_gene_beyond_the_paper_makes_it_albert(
    embedding_size: int, shared_layers: int
) -> None:
    shape = Architecture(1000, 96, 12, 8, 64, 400, embedding_size, shared_layers)
    assert shape.family == "albert"


@pytest.mark.parametrize(
    ("embedding_size", "shared_layers", "says"),
    [
        (97, 1, "embedding_size 97 is above hidden_size 96"),
        (-1, 1, "positive"),
        (False, 1, "positive"),
        (0, 5, "num_layers 12 is not divisible by shared_layers 5"),
        (0, 0, "positive"),
    ],
)
def test_genes_that_make_no_encoder_are_refused(
    embedding_size: int, shared_layers: int, says: str
) -> None:
    with pytest.raises(OptionError, match=says):
        Architecture(1000, 96, 12, 8, 64, 400, embedding_size, shared_layers)
