"""How well each proxy of capacity ranks what training measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from codewren.search.result import Candidate

__all__ = ["rank_correlations"]


def rank_correlations(
    candidates: Sequence[Candidate], quality: Sequence[float]
) -> Mapping[str, float | None]:
    """Spearman's rank correlation of each proxy, of bytes and of latency with quality.

    None where it is not defined: a proxy or a quality that is the same for all.
    """
    proxies: dict[str, list[float]] = {
        "flops": [c.flops for c in candidates],
        "executed": [c.executed for c in candidates],
        "parameters": [c.parameters for c in candidates],
        "size_bytes": [c.size_bytes for c in candidates],
        "latency_ms": [c.latency_ms for c in candidates if c.latency_ms is not None],
    }
    return {
        name: _spearman(values, quality)
        for name, values in proxies.items()
        if len(values) == len(quality)
    }


def _spearman(values: Sequence[float], quality: Sequence[float]) -> float | None:
    from scipy.stats import spearmanr

    if len(set(values)) < 2 or len(set(quality)) < 2:
        return None
    correlation = float(spearmanr(values, quality).statistic)
    return None if isnan(correlation) else round(correlation, 4)
