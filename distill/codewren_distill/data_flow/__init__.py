"""Data flow of a function, and the model that reads it: Guo et al., "GraphCodeBERT" (ICLR 2021)."""

from __future__ import annotations

from codewren_distill.data_flow.extract import Edge, Flow, data_flow
from codewren_distill.data_flow.grammars import LANGUAGES
from codewren_distill.data_flow.model import GraphModel
from codewren_distill.data_flow.text import DataFlowText

__all__ = ["LANGUAGES", "DataFlowText", "Edge", "Flow", "GraphModel", "data_flow"]
