"""Hide some tokens of every training text behind the mask token: cheap, and it regularises."""

from __future__ import annotations

import torch
from torch import Tensor

from codewren_distill.text_side import TransformersTokenizer
from codewren_runtime.errors import OptionError
from codewren_runtime.tokenizer import MASK, SPECIAL_TOKENS, CodeTokenizer

__all__ = ["TokenDropout"]


class TokenDropout:
    """Replaces a share of the tokens, special ones apart, by the mask token.

    Each text draws a share of its own, uniform up to twice `rate`, so that most texts are seen
    nearly whole and some with great gaps. Raises OptionError where the tokenizer has no mask.
    """

    def __init__(self, rate: float, tokenizer: CodeTokenizer | TransformersTokenizer) -> None:
        self.rate = rate
        if isinstance(tokenizer, CodeTokenizer):
            self.mask, special = SPECIAL_TOKENS.index(MASK), list(range(len(SPECIAL_TOKENS)))
        else:
            self.mask, special = (
                tokenizer.tokenizer.mask_token_id,
                tokenizer.tokenizer.all_special_ids,
            )
            if self.mask is None:
                raise OptionError("token_dropout: the tokenizer has no mask token; set it to 0")
        self.special = torch.tensor(special)

    def __call__(self, input_ids: Tensor) -> Tensor:
        """Ids (n, length) to ids of the same shape."""
        share = 2 * self.rate * torch.rand(len(input_ids), 1, device=input_ids.device)
        hidden = torch.rand(input_ids.shape, device=input_ids.device) < share
        hidden &= ~torch.isin(input_ids, self.special.to(input_ids.device))
        return input_ids.masked_fill(hidden, self.mask)
