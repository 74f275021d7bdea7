from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codewren_distill.models import SiameseModel
from codewren_distill.pair_heads import PAIR_HEADS, PairHead, SharedHead
from codewren_export.quiet import quiet
from codewren_export.reference import head_graph
from codewren_runtime.errors import OptionError

WIDTH = 6
numbers = st.lists(st.floats(-3, 3, width=32), min_size=WIDTH, max_size=WIDTH)


@pytest.fixture(params=sorted(PAIR_HEADS))
def head(request: pytest.FixtureRequest) -> PairHead:
    torch.manual_seed(0)
    return PAIR_HEADS[request.param](WIDTH, 2)


def test_a_head_is_made_again_from_its_weights(head: PairHead) -> None:
    again = type(head).from_state(head.state_dict())
    u, v = torch.randn(2, 5, WIDTH)
    assert torch.equal(head(u, v), again(u, v))


def test_a_head_computes_in_fp32_whatever_the_encoder_does(head: PairHead) -> None:
    class Embeds(SiameseModel):
        def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return input_ids.bfloat16() * attention_mask

    texts = torch.randn(10, WIDTH).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = Embeds(torch.nn.Identity(), head)(texts, torch.ones(10, 1).bfloat16())
    assert torch.equal(answer, head(*texts.float().chunk(2)))


def test_onnxruntime_answers_as_torch_does(head: PairHead, tmp_path: Path) -> None:
    with quiet():
        graph = head_graph(head, WIDTH, tmp_path)
    u, v = torch.randn(2, 50, WIDTH)
    v[0] = u[0]
    session = ort.InferenceSession(graph.SerializeToString())
    (answer,) = session.run(["logits"], {"embedding_1": u.numpy(), "embedding_2": v.numpy()})
    with torch.no_grad():
        assert np.abs(answer - head(u, v).numpy()).max() < 1e-4


def _alike(head: Callable[..., torch.Tensor], u: list[float], v: list[float]) -> float:
    return float(torch.softmax(head(torch.tensor([u]), torch.tensor([v])), -1)[0, 1])


@given(u=numbers, v=numbers)
@torch.no_grad()
def test_shared_is_a_noisy_or_of_traits_and_nearness(u: list[float], v: list[float]) -> None:
    torch.manual_seed(1)
    head = SharedHead(WIDTH)
    head.traits.weight.data.normal_(0, 0.5)
    z1, z2 = (torch.sigmoid(4 * head.traits(torch.tensor(x))).double() for x in (u, v))
    gap = (torch.tensor(u) - torch.tensor(v)).double()
    near = torch.exp(-9 * (gap * gap).sum())
    expected = float(1 - (1 - near) * torch.prod(1 - z1 * z2))
    assert abs(_alike(head, u, v) - expected) < 5e-2  # 17 causes, leaky by half a hundredth each
    assert _alike(head, u, v) == _alike(head, v, u)
    assert _alike(head, u, u) > 0.98


def test_shared_wants_two_labels() -> None:
    with pytest.raises(OptionError, match="two labels, not 3"):
        SharedHead(WIDTH, 3)
