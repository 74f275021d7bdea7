"""Search: the architecture of most capacity that fits a hard budget of bytes.

space = load_space("paper")
result = search(space, Budget(3_000_000, bits=8), "single", 2, GeneticSettings(seed=1))
proof = enumerate_space(space, Budget(3_000_000, bits=8), "single", 2)
"""

from codewren.search.cost import count_flops, count_parameters
from codewren.search.exhaustive import enumerate_space
from codewren.search.paper import paper_bytes, paper_flops, paper_parameters
from codewren.search.plot import plot_search
from codewren.search.result import (
    Candidate,
    Certificate,
    Formula,
    GenerationRecord,
    Proxy,
    SearchResult,
)
from codewren.search.size import predict_bytes
from codewren.search.space import SearchSpace, load_space, named_spaces
from codewren_runtime.errors import MissingExtraError

try:
    from codewren.search.genetic import GeneticSettings, search
except ModuleNotFoundError as error:
    if error.name != "deap":
        raise
    raise MissingExtraError("search", "deap") from error

__all__ = [
    "Candidate",
    "Certificate",
    "Formula",
    "GenerationRecord",
    "GeneticSettings",
    "Proxy",
    "SearchResult",
    "SearchSpace",
    "count_flops",
    "count_parameters",
    "enumerate_space",
    "load_space",
    "named_spaces",
    "paper_bytes",
    "paper_flops",
    "paper_parameters",
    "plot_search",
    "predict_bytes",
    "search",
]
