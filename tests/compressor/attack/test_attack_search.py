from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.attack import accepted, attack_example
from codewren.attack.genetic import genetic
from codewren.attack.greedy import by_importance
from codewren.attack.victim import Victim
from codewren.rewriting import Code, read_code
from codewren.target import Judged, open_target
from codewren_runtime.types import Example, Task

TEXT = "int f(int len, char *buf, int n)\n{\n  int i = len + n;\n  return buf[i] + len + len;\n}\n"
OPTIONS = {name: [f"{name}_{k}" for k in range(9)] for name in ("len", "buf", "n", "i")}


class Words:
    """Answers 1 while the weights of a text's words stay under the limit; the second is P(1)."""

    path, task, sha256 = Path("words"), Task("t", "single", ("no", "yes")), "0"

    def __init__(self, weights: dict[str, float], limit: float) -> None:
        self.weights, self.limit, self.asked = weights, limit, 0

    def judge(self, examples: Sequence[Example]) -> list[Judged]:
        """One query for each."""
        self.asked += len(examples)
        return [self._one(example.text) for example in examples]

    def _one(self, text: str) -> Judged:
        weight = sum(self.weights.get(word, 0.0) for word in set(re.findall(r"\w+", text)))
        likely = 1.0 / (1.0 + weight)
        return int(weight < self.limit), (1 - likely, likely)


def code_of(text: str) -> Code:
    code = read_code(text)
    assert code is not None
    return code


def attacked(words: Words, queries: int = 200, seed: int = 0):  # type: ignore[no-untyped-def]
    example = Example(TEXT, None, 1)
    judged = words.judge([example])[0]
    return attack_example(
        words, example, judged, code_of(TEXT), OPTIONS, queries=queries, rng=Random(seed)
    )


def test_one_fatal_substitute_is_found_and_the_search_stops_there() -> None:
    words = Words({"len_7": 2.0}, 1.0)
    outcome = attacked(words)
    assert outcome.flipped
    assert outcome.renaming == {"len": "len_7"}
    assert outcome.queries == words.asked < 50


def test_two_names_that_only_fall_together_are_found() -> None:
    outcome = attacked(Words({"len_2": 0.6, "i_5": 0.6, "n_1": 0.1}, 1.2))
    assert outcome.flipped
    assert {"len": "len_2", "i": "i_5"}.items() <= outcome.renaming.items()


def test_the_genetic_half_alone_finds_what_greed_cannot_see() -> None:
    words = Words({"buf_8": 0.4, "n_8": 0.4, "i_8": 0.4}, 1.2)
    example = Example(TEXT, None, 1)
    victim = Victim.of(words, example, code_of(TEXT), words.judge([example])[0], 600)
    genetic(victim, OPTIONS, Random(0))
    assert victim.best.flips


@given(st.integers(4, 60), st.integers(0, 5), st.floats(0.1, 3.0))
def test_the_budget_holds_and_counts_every_question(queries: int, seed: int, limit: float) -> None:
    words = Words({"len_3": 0.5, "buf_4": 0.7, "i_0": 0.2}, limit)
    outcome = attacked(words, queries, seed)
    assert outcome.queries == words.asked <= queries
    again = attacked(Words(words.weights, limit), queries, seed)
    assert again == outcome
    text = code_of(TEXT).renamed(outcome.renaming)
    answer, probabilities = words._one(text)
    assert (answer == 0) == outcome.flipped
    assert probabilities[1] == outcome.after


def test_a_name_that_the_mask_exposes_comes_first() -> None:
    words = Words({"unk": 0.3, "n": -0.2}, 9.0)
    example = Example(TEXT, None, 1)
    victim = Victim.of(words, example, code_of(TEXT), words.judge([example])[0], 100)
    assert by_importance(victim, OPTIONS)[0] == "n"
    assert victim.best.renaming == {}  # a mask is no substitute


def test_without_candidates_nothing_is_asked() -> None:
    words = Words({}, 1.0)
    example = Example(TEXT, None, 1)
    judged = words.judge([example])[0]
    outcome = attack_example(words, example, judged, code_of(TEXT), {}, queries=9, rng=Random(0))
    assert (outcome.flipped, outcome.queries, words.asked) == (False, 1, 1)


def test_candidates_lose_spaces_and_what_is_not_free() -> None:
    code = code_of(TEXT)
    options = {
        "len": [" size", "size", "n", "int", "a b", "1x", "SIZE_MAX"],
        "f": ["g"],
        "q": ["r"],
    }
    assert accepted(code, options) == {"len": ["size", "ab"]}


def test_a_target_must_be_a_model(tmp_path: Path) -> None:
    from codewren_runtime.errors import BundleError

    with pytest.raises(BundleError):
        open_target(tmp_path / "none.wren")
