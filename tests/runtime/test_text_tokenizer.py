from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren_runtime.errors import ModelError
from codewren_runtime.text import KEYWORDS, normalise
from codewren_runtime.tokenizer import SPECIAL_TOKENS, CodeTokenizer
from codewren_runtime.types import Normalisation

MODES: tuple[Normalisation, ...] = get_args(Normalisation)
texts = st.text(st.characters(), max_size=300)
codes = st.lists(
    st.sampled_from(["if", "x", "=", "1", "  ", "\t", "\n", "\r\n", "// c", "</s>", "é"])
).map("".join)
names = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(
    lambda name: name not in KEYWORDS and not name.endswith("_t")
)


@pytest.fixture(scope="module")
def tokenizer(tokenizer_json: str) -> CodeTokenizer:
    return CodeTokenizer(tokenizer_json, 32, "structure")


@pytest.mark.parametrize("mode", MODES)
@given(text=texts | codes)
def test_normalised_text_has_a_utf8_form_and_stays_as_it_is(mode: Normalisation, text: str) -> None:
    once = normalise(text, mode)
    once.encode("utf-8")
    assert normalise(once, mode) == once


@given(texts | codes)
def test_published_form_is_one_lower_case_line(text: str) -> None:
    once = normalise(text, "published")
    assert once.split() == once.split(" ") or not once
    assert once == once.strip()


@given(codes)
def test_structure_keeps_every_visible_character_in_order(text: str) -> None:
    assert "".join(normalise(text, "structure").split()) == "".join(text.split())


def test_structure_keeps_case_lines_and_indentation() -> None:
    text = "If (A)\r\n\tB();  \r\n\r\n  c();\n"
    assert normalise(text, "structure") == "If (A)\n    B();\n  c();"
    assert normalise(text, "published") == "if (a) b(); c();"


def test_words_are_those_within_names_with_numbers_and_operators() -> None:
    text = "if (HTTPServer.getFile2(my_name) != MAX_SIZE) {\n  // naïve\n}"
    assert normalise(text, "words") == "if HTTP Server get File 2 my name != MAX SIZE // na ï ve"


def test_nameless_has_one_name_for_all_variables() -> None:
    text = """
#define FOO 1
static int get(Ctx *s, const uint8_t *buf, size_t n) /* s: it's the state */
{
    AVFrame *const x = &s->frames[n << 2], y = 0x1F;
    char *t = "buf \\" s", c = 'n';
    for (int i = 0; i<MAX_N && buf[i] != c; i++) y += peek (buf+i) * s . n;
    if (!y) goto fail;
    return x ? n : -1; // n
}"""
    assert (
        normalise(text, "nameless")
        == """\
#define FOO 1
static int get(Ctx *v, const uint8_t *v, size_t v) /* s: it's the state */
{
    AVFrame *const v = &v->frames[v << 2], v = 0x1F;
    char *v = "buf \\" s", v = 'n';
    for (int v = 0; v<MAX_N && v[v] != v; v++) v += peek (v+v) * v . n;
    if (!v) goto v;
    return v ? v : -1; // n
}"""
    )


@given(names, names, names, names)
def test_nameless_is_the_same_whatever_variables_are_called(
    first: str, second: str, third: str, fourth: str
) -> None:
    code = "int f(Ctx *{0}, u8 {1}) {{ if ({1}) return g({0}, &{1}) /{1}; {0}->x[{1}]-- ; }} //"
    one, other = code.format(first, second), code.format(third, fourth)
    assert normalise(one, "nameless") == normalise(other, "nameless")


def test_comments_do_not_swallow_the_rest() -> None:
    for mode in MODES:
        assert "return" in normalise("a(); // note\nreturn b;", mode)


@given(texts | codes)
def test_ids_begin_end_and_fit_the_window(tokenizer: CodeTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert 2 <= len(ids) <= tokenizer.max_length
    assert (ids[0], ids[-1]) == (tokenizer.bos_id, tokenizer.eos_id)
    assert all(0 <= i < tokenizer.vocab_size for i in ids)


@given(texts | codes)
def test_text_never_becomes_a_special_token(tokenizer: CodeTokenizer, text: str) -> None:
    inner = tokenizer.encode(f"{text}</s><pad><s>")[1:-1]
    assert not set(inner) & set(range(len(SPECIAL_TOKENS)))


@given(codes)
def test_cutting_the_text_first_does_not_change_the_window(
    tokenizer: CodeTokenizer, text: str
) -> None:
    whole = "x = 1;\n" * 40 + text
    assert tokenizer.encode(whole + "y = 2;\n" * 1000) == tokenizer.encode(whole + "y = 2;\n" * 50)


def test_equal_texts_but_for_line_ends_have_equal_ids(tokenizer: CodeTokenizer) -> None:
    text = "def f(x):\n\treturn x\n"
    assert tokenizer.encode(text) == tokenizer.encode(text.replace("\n", "\r\n"))


def test_json_is_kept_byte_for_byte(tokenizer: CodeTokenizer, tokenizer_json: str) -> None:
    assert tokenizer.to_json() == tokenizer_json


@pytest.mark.parametrize("json_text", ["", "{}", "nonsense", "[]"])
def test_bad_tokenizer_is_a_model_error(json_text: str) -> None:
    with pytest.raises(ModelError, match="tokenizer"):
        CodeTokenizer(json_text, 32, "structure")


def test_a_refusal_that_quotes_a_line_end_is_one_line() -> None:
    merges = {"type": "BPE", "vocab": {"a": 0}, "merges": [["a\nb", "a"]]}
    text = json.dumps({"version": "1.0", "added_tokens": [], "model": merges})
    with pytest.raises(ModelError) as caught:
        CodeTokenizer(text, 16, "raw")
    assert "a b" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_window_too_small_or_special_token_missing(tokenizer_json: str) -> None:
    with pytest.raises(ModelError, match="at least 8"):
        CodeTokenizer(tokenizer_json, 7, "structure")
    with pytest.raises(ModelError, match="<pad>"):
        CodeTokenizer(tokenizer_json.replace("<pad>", "<pat>"), 32, "structure")
