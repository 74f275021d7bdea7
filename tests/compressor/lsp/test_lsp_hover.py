from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codewren.lsp.engine import Like
from codewren.lsp.hover import pair_hover, single_hover
from codewren.lsp.located import Located
from codewren.occlusion import MOST_PREDICTIONS, Explanation, Weight, explain
from codewren_runtime import Prediction

TEXT = "int f(char *s) {\r\n  char b[9];\n\n  strcpy(b, s);\n  return b[0];\n}"


def suspicion(text: str) -> float:
    return 0.2 + 0.5 * ("strcpy" in text) - 0.1 * ("return" in text)


def test_the_line_that_matters_most_comes_first() -> None:
    found = explain(TEXT, suspicion, bool)
    assert (len(found.lines), found.read) == (6, 6)
    assert [(w.first, round(w.weight, 6)) for w in found.weights[:2]] == [(3, 0.5), (4, -0.1)]
    assert 2 not in [w.first for w in found.weights]  # a blank line


def test_lines_beyond_the_window_are_named_and_not_tried() -> None:
    found = explain(TEXT, suspicion, lambda text: len(text) <= 32)
    assert found.read == 3 + 1
    assert max(w.first for w in found.weights) == 3


@given(st.text("ab \n\r\f", max_size=300), st.integers(0, 300))
def test_every_line_read_is_weighed_once(text: str, window: int) -> None:
    asked: list[str] = []

    def length(text: str) -> float:
        asked.append(text)
        return float(len(text[:window]))

    found = explain(text, length, lambda text: len(text) <= window)
    assert "".join(found.lines) == text
    assert len(asked) <= MOST_PREDICTIONS + 1
    read = "".join(found.lines[: found.read])
    assert read == text if len(text) <= window else len(read) > window
    tried = [n for w in found.weights for n in range(w.first, w.last + 1)]
    assert len(tried) == len(set(tried))
    words = {n for n, line in enumerate(found.lines[: found.read]) if line.strip()}
    assert words <= set(tried) <= set(range(found.read))


def test_a_long_text_is_explained_with_few_predictions() -> None:
    asked: list[str] = []

    def zero(text: str) -> float:
        asked.append(text)
        return 0.0

    explain("x\n" * 10_000, zero, bool)
    assert len(asked) <= MOST_PREDICTIONS + 1


def test_the_hover_says_what_was_judged_and_why() -> None:
    prediction = Prediction("vulnerable", 0.9, {"safe": 0.1, "vulnerable": 0.9})
    explanation = Explanation(
        ("a(){\n", "x = `id`;\n", "\x1b[31m;\n", "}\n", "}"),
        4,
        (Weight(1, 1, 0.25), Weight(2, 3, -0.125), Weight(0, 0, 0.001)),
    )
    text = single_hover(prediction, 0.5, "vulnerable", explanation, first=10)
    assert "**vulnerable** 90.0%" in text
    assert "safe 10.0%, vulnerable 90.0%; reported from 50%" in text
    assert "- +25.0 points, line 11: `` x = `id`; ``\n" in text
    assert "- -12.5 points, lines 12 to 13: ` [31m;`" in text
    assert "line 10:" not in text
    assert text.endswith("The model reads as far as line 13: 1 more line was not judged.")


def test_nothing_that_matters_is_said() -> None:
    prediction = Prediction("safe", 0.9, {"safe": 0.9, "bad": 0.1})
    text = single_hover(prediction, 0.5, "bad", Explanation(("a",), 1, ()), first=1)
    assert text.endswith("No line alone matters to *bad*.")


def test_the_hover_of_a_clone_links_to_the_others() -> None:
    other = Located("g", "", b"", (3, 0), (5, 1), ((3, 4), (3, 5)))
    text = pair_hover([Like("file:///b%20c.py", other, "clone", 0.75)], 0.5)
    assert text.endswith("- `g`, line 4 of [b%20c.py](file:///b%20c.py): clone 75.0%")
    assert pair_hover([], 0.5) == "No other function is open to compare with."
