import ast
import copy
import dis
import itertools
import types
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codewren.demo.functions import collect, source_files, standard_library
from codewren.demo.names import identifiers, nodes
from codewren.demo.rewrites import ALL_RULES, engine, parse_function, rewrite
from codewren.demo.rewrites.context import Context

SOURCE = Path(__file__).with_name("samples.py.txt").read_text()
SAMPLES = {
    node.name: ast.unparse(node)
    for node in ast.parse(SOURCE).body
    if isinstance(node, ast.FunctionDef)
}

PALETTE = [
    "item",
    "total",
    "number",
    "low",
    "place",
    "x",
    "first",
    "rest",
    "len",
    "key",
    "name",
    "z",
]
TITLES = ["sorted", "label", "item", "combine"]
VARIANTS = 25

values = st.one_of(
    st.none(),
    st.integers(-12, 12),
    st.text("ab{}", max_size=3),
    st.lists(st.integers(-9, 9), max_size=5),
    st.dictionaries(st.sampled_from(["key", "a"]), st.integers(-3, 3), max_size=2),
)


def rewritten(text: str, seed: int, strength: float = 0.8) -> str:
    return rewrite(text, Random(seed), titles=TITLES, palette=PALETTE, strength=strength)


def compiled(text: str) -> Any:
    space: dict[str, Any] = {}
    exec(compile(text, "<sample>", "exec"), space)
    return space[parse_function(text).name]


def outcome(function: Any, arguments: list[Any]) -> Any:
    """Result, effects on the arguments, or the type of the exception."""
    arguments = copy.deepcopy(arguments)
    try:
        result = function(*arguments)
        if isinstance(result, types.GeneratorType):
            result = _driven(result)
    except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
        return type(error), repr(arguments)
    return repr(result), repr(arguments)


def _driven(generator: Any) -> list[Any]:
    """Every third value is answered, so that what is sent matters."""
    seen: list[Any] = []
    try:
        seen.append(next(generator))
        for turn in range(1, 99):
            seen += [generator.send(turn if turn % 3 == 2 else None)]
    except Exception as error:  # noqa: BLE001 - StopIteration among them
        seen.append(type(error))
    return seen


def required(text: str) -> int:
    arguments = parse_function(text).args
    return len(arguments.args) - len(arguments.defaults)


PAIRS = {
    name: (compiled(text), [compiled(rewritten(text, seed)) for seed in range(VARIANTS)])
    for name, text in SAMPLES.items()
    if name != "introspective"
}


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_rewritten_function_does_the_same(name: str, data: st.DataObject) -> None:
    original, variants = PAIRS[name]
    needed = required(SAMPLES[name])
    arguments = data.draw(st.lists(values, min_size=needed, max_size=needed))
    expected = outcome(original, arguments)
    for seed, variant in enumerate(variants):
        assert outcome(variant, arguments) == expected, rewritten(SAMPLES[name], seed)


@pytest.mark.parametrize("name", PAIRS)
def test_simple_integers_and_lists_reach_every_branch_alike(name: str) -> None:
    original, variants = PAIRS[name]
    grid = [
        -4,
        0,
        1,
        2,
        3,
        5,
        8,
        20,
        None,
        "ab",
        [],
        [1, 2, 3],
        [3, 0, 1, 9, 6],
        {"key": 1, "b": 2},
    ]
    for arguments in itertools.product(grid, repeat=required(SAMPLES[name])):
        expected = outcome(original, list(arguments))
        assert all(outcome(variant, list(arguments)) == expected for variant in variants)


def test_the_samples_meet_every_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    met: set[str] = set()
    plain = engine._one_of

    def spying(rules: Any, node: Any, context: Context) -> Any:
        def spied(rule: Any) -> Any:
            def call(node: Any, context: Context) -> Any:
                result = rule(node, context)
                met.update([rule.__name__] if result is not None else [])
                return result

            return call

        return plain(tuple(map(spied, rules)), node, context)

    monkeypatch.setattr(engine, "_one_of", spying)
    for text in SAMPLES.values():
        for seed in range(40):
            rewritten(text, seed, strength=(0.3, 0.9)[seed % 2])
    assert met == set(ALL_RULES)
    assert len(ALL_RULES) >= 8


def test_a_function_that_looks_at_its_names_keeps_them() -> None:
    text = SAMPLES["introspective"]
    for seed in range(5):
        assert rewritten(text, seed).split("(", 1)[1] == text.split("(", 1)[1]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("def f(a):\n    global b\n    b = a\n    return b", {"b"}),
        ("def f(a):\n    import os.path\n    return os.path.join(a)", {"os"}),
        ("def f(self, a=size):\n    size = a\n    return size", {"self", "size"}),
        ("def f(a):\n    def g(*, flag):\n        return flag\n    return g(flag=a)", {"flag"}),
        ("def f(a, d):\n    def g(flag):\n        return flag\n    return g(**d)", {"flag"}),
        ("def f(a: kind) -> kind:\n    kind = a\n    return kind", {"kind"}),
    ],
)
def test_names_that_others_can_see_stay(text: str, kept: set[str]) -> None:
    for seed in range(10):
        assert kept <= set(identifiers(nodes(ast.parse(rewritten(text, seed)))))


def global_names(text: str) -> set[str]:
    """Names that the function takes from outside, its own apart; asked of the compiler."""
    name = parse_function(text).name
    module = compile(text, "<function>", "exec", dont_inherit=True)
    return {found for found in _globals_of(module) if found != name}


def _globals_of(code: types.CodeType) -> set[str]:
    found = {i.argval for i in dis.get_instructions(code) if i.opname in _GLOBAL_ACCESS}
    return found.union(*(_globals_of(c) for c in code.co_consts if isinstance(c, types.CodeType)))


_GLOBAL_ACCESS = {"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME"}


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_functions_of_the_standard_library_stay_whole() -> None:
    root = standard_library()
    found = [f for file in collect(root, source_files(root)[::9]).by_file for f in file]
    assert len(found) > 300
    palette = [
        "len",
        "value",
        "self",
        "data",
        "name",
        "os",
        "sys",
        "i",
        "x",
        "key",
        "class",
        "None",
    ]
    for seed, function in enumerate(found):
        new = rewrite(
            function.text, Random(seed), titles=["os", "value", "handle"], palette=palette
        )
        assert new != function.text
        assert new == ast.unparse(ast.parse(new))
        assert global_names(new) == global_names(function.text), f"{function.text}\n\n{new}"
        assert "fresh_" not in new
