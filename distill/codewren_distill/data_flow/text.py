"""From a text to GraphCodeBERT's input: code tokens, variable nodes and who sees whom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch

from codewren_distill.data_flow.extract import data_flow
from codewren_distill.text_side import MULTIPLE, Batch, Encoded, TransformersTokenizer, check_kind
from codewren_runtime.errors import ModelError
from codewren_runtime.text import normalise
from codewren_runtime.types import Example

__all__ = ["MAX_NODES", "DataFlowText"]

MAX_NODES = 64  # as published

# Position ids (Guo et al., section 4.1 and their code): RoBERTa numbers code from 2.
NODE, PADDING, FIRST = 0, 1, 2


class DataFlowText:
    """Encodes single texts as `[CLS] code [SEP] nodes`.

    The code is the text's syntax leaves with a blank between, without comments, as published;
    a node is a variable whose value comes from another's or goes to one.
    """

    def __init__(self, tokenizer: TransformersTokenizer, language: str) -> None:
        if not tokenizer.tokenizer.is_fast or tokenizer.tokenizer.unk_token_id is None:
            raise ModelError(
                "data flow needs a fast tokenizer with an unknown token; give a RoBERTa checkpoint "
                "with a tokenizer.json"
            )
        self.tokenizer, self.language = tokenizer, language

    def encode(self, example: Example) -> Encoded:
        """Token ids; first and last position of each node's code; edges as pairs of nodes.

        Nodes and edges are flattened. A node beyond the window, or beyond `MAX_NODES`, is left
        out with its edges. Raises DataError for a pair.
        """
        check_kind(example, pairs=False)
        flow = data_flow(normalise(example.text, "structure"), self.language)
        text = " ".join(flow.tokens) or example.text
        made = self.tokenizer.tokenizer(
            text,
            truncation=True,
            max_length=self.tokenizer.max_length,
            return_offsets_mapping=True,
        )
        begins = list(accumulate((len(token) + 1 for token in flow.tokens), initial=0))
        spans = _spans(
            made["offset_mapping"],
            [(begins[n], begins[n] + len(flow.tokens[n])) for n in flow.nodes],
        )
        kept = [(n, span) for n, span in zip(flow.nodes, spans, strict=True) if span][:MAX_NODES]
        index = {node: at for at, (node, _) in enumerate(kept)}
        edges = [
            (index[edge.target], index[edge.source])
            for edge in flow.edges
            if edge.target in index and edge.source in index
        ]
        return (
            tuple(self.tokenizer.known(made["input_ids"])),
            tuple(end for _, span in kept for end in span),
            tuple(end for edge in edges for end in edge),
        )

    def collate(self, rows: Sequence[Encoded]) -> Batch:
        """`input_ids` and `position_ids` (n, length), `attention_mask` (n, length, length).

        Code sees code; a node and its code see each other; a node sees those that its value
        comes from; the special tokens see all. A node's id is the unknown token's.
        """
        longest = max(len(ids) + len(ends) // 2 for ids, ends, _ in rows)
        longest = -(-longest // MULTIPLE) * MULTIPLE
        shape = (len(rows), longest)
        ids = torch.full(shape, self.tokenizer.pad_id, dtype=torch.long)
        positions = torch.full(shape, PADDING, dtype=torch.long)
        # Padding sees itself: a row that sees nothing has no softmax.
        sees = torch.eye(longest, dtype=torch.long).repeat(len(rows), 1, 1)
        for row, (code, ends, edges) in enumerate(rows):
            size, nodes = len(code), len(ends) // 2
            ids[row, :size] = torch.tensor(code)
            ids[row, size : size + nodes] = self.tokenizer.tokenizer.unk_token_id
            positions[row, :size] = torch.arange(FIRST, FIRST + size)
            positions[row, size : size + nodes] = NODE
            sees[row, : size + nodes, : size + nodes] = _sees(code, ends, edges, self._specials())
        return {"input_ids": ids, "position_ids": positions, "attention_mask": sees}

    def _specials(self) -> tuple[int, ...]:
        own = self.tokenizer.tokenizer
        return (own.cls_token_id, own.sep_token_id)


def _spans(
    offsets: Sequence[tuple[int, int]], words: Sequence[tuple[int, int]]
) -> list[tuple[int, ...]]:
    """First and last token of each word (begin, end), in order; () where there is none."""
    spans: list[tuple[int, ...]] = []
    at = 0
    for begin, end in words:
        while at < len(offsets) and offsets[at][1] <= begin:
            at += 1
        inside, last = at, at - 1
        while inside < len(offsets) and offsets[inside][0] < end and offsets[inside][1] > begin:
            inside, last = inside + 1, inside
        whole = last >= at and offsets[last][1] >= end  # not cut by the window
        spans.append((at, last) if whole else ())
    return spans


def _sees(
    code: Sequence[int], ends: Sequence[int], edges: Sequence[int], specials: Sequence[int]
) -> torch.Tensor:
    size, nodes = len(code), len(ends) // 2
    sees = torch.zeros(size + nodes, size + nodes, dtype=torch.long)
    sees[:size, :size] = 1
    for node, (first, last) in enumerate(zip(ends[::2], ends[1::2], strict=True)):
        sees[size + node, first : last + 1] = 1
        sees[first : last + 1, size + node] = 1
    for target, source in zip(edges[::2], edges[1::2], strict=True):
        sees[size + target, size + source] = 1
    sees[:size][torch.isin(torch.tensor(code), torch.tensor(specials))] = 1
    return sees
