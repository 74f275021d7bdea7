from __future__ import annotations

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from codewren_export.packages.names import (
    check_npm_name,
    check_python_name,
    check_title,
    check_version,
)
from codewren_runtime.errors import OptionError


@pytest.mark.parametrize(
    "name",
    [
        "", "my-model", "my model", "1model", "_model", "model_", "modèle", "a.b", "a/b", "..",
        "class", "match", "json", "numpy", "codewren", "codewren_runtime", "model\n",
    ],
)  # fmt: skip
def test_python_names_that_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="--name") as caught:
        check_python_name(name)
    assert "\n" not in str(caught.value)


@given(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]*\Z"))
def test_a_python_name_that_passes_can_be_imported_and_installed(name: str) -> None:
    try:
        check_python_name(name)
    except OptionError:
        return
    assert name.isidentifier()
    assert not keyword.iskeyword(name)
    assert canonicalize_name(name, validate=True)


@pytest.mark.parametrize("name", ["my_model", "Wren2", "a", "x9"])
def test_python_names_that_pass(name: str) -> None:
    assert check_python_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "My-Model", ".model", "_model", "a b", "a/b", "@a", "@/b", "@a/.b", "node_modules", "../x",
     "x" * 215, "é", "model\n"],
)  # fmt: skip
def test_npm_names_that_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="--name") as caught:
        check_npm_name(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["my-model", "@team/my-model", "a", "x.y_z", "0x"])
def test_npm_names_that_pass(name: str) -> None:
    assert check_npm_name(name) == name


@pytest.mark.parametrize("title", ["", "  ", "a\nb", "a\0", "x" * 101])
def test_titles_that_are_refused(title: str) -> None:
    with pytest.raises(OptionError, match="--name"):
        check_title(title)


@pytest.mark.parametrize(
    "version", ["", "1", "1.0", "1.0.0rc1", "v1.0.0", "01.0.0", "1.0.0\n", "-1.0.0"]
)
def test_versions_that_are_refused(version: str) -> None:
    with pytest.raises(OptionError, match="--package-version"):
        check_version(version)


@given(st.tuples(*[st.integers(0, 10**6)] * 3))
def test_versions_that_pass_are_read_alike_everywhere(numbers: tuple[int, int, int]) -> None:
    version = ".".join(map(str, numbers))
    assert str(Version(check_version(version))) == version
