from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.lsp.settings import Settings
from codewren_runtime.errors import OptionError

START = Settings(bundle=Path("flag.wren"), threshold=0.7)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_what_is_sent_wins_over_flags_and_the_rest_stays() -> None:
    sent = {"bundle": "sent.wren", "debounce": 10.0, "threshold": None}
    assert START.updated(sent) == Settings(Path("sent.wren"), 0.7, debounce=10)
    assert START.updated({"codewren": {"threshold": 1, "maxSize": 5}}) == Settings(
        Path("flag.wren"), 1.0, max_size=5
    )


def test_home_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert START.updated({"bundle": "~/a.wren"}).bundle == Path("/home/me/a.wren")


@pytest.mark.parametrize("nothing", [None, {}, {"codewren": {}}])
def test_nothing_sent_changes_nothing(nothing: object) -> None:
    assert START.updated(nothing) == START


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ([], "object"),
        ({"codewren": 3}, "object"),
        ({"treshold": 0.5}, "'treshold'; known are bundle, threshold"),
        ({"threshold": 1.5}, "from 0 to 1, not 1.5"),
        ({"threshold": float("nan")}, "nan"),
        ({"threshold": True}, "True"),
        ({"threshold": "half"}, "'half'"),
        ({"debounce": -1}, "from 0 to 60,000"),
        ({"debounce": 1.5}, "whole"),
        ({"debounce": float("inf")}, "inf"),
        ({"bundle": ""}, "path of a bundle"),
        ({"bundle": "a\0b"}, "path of a bundle"),
        ({"bundle": "~nobody-of-this-name/a"}, "no home"),
        ({"threshold": "x" * 1000}, "..."),
    ],
)
def test_bad_settings_are_one_clear_line(sent: object, says: str) -> None:
    with pytest.raises(OptionError) as caught:
        START.updated(sent)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert len(message) < 200


@given(JSON | st.dictionaries(st.sampled_from(["bundle", "threshold", "debounce"]), JSON))
def test_whatever_is_sent_is_taken_or_refused(sent: object) -> None:
    with suppress(OptionError):
        START.updated(sent)
