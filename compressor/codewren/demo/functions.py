"""Functions from a folder of Python sources, as plain texts with what pairing needs to know."""

from __future__ import annotations

import ast
import os
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codewren.demo.names import FunctionNode, is_opaque, nodes, renameable
from codewren.demo.traits import traits

__all__ = ["Collection", "Function", "collect", "source_files", "standard_library"]

MIN_LINES, MAX_LINES = 4, 30

_INSTALLED = frozenset({"site-packages", "dist-packages", "__pycache__"})
_TESTS_AND_DEMOS = frozenset({"test", "tests", "idle_test", "lib2to3", "turtledemo"})


@dataclass(frozen=True, slots=True)
class Function:
    """One function without docstring and decorators, as `ast.unparse` writes it."""

    file: str
    name: str
    text: str
    locals: tuple[str, ...]
    traits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """Functions file by file in the order of reading, and how many files could not be read."""

    by_file: tuple[tuple[Function, ...], ...]
    files_skipped: int

    @property
    def functions(self) -> int:
        """How many functions there are in all."""
        return sum(map(len, self.by_file))


def standard_library() -> Path:
    """Where this interpreter's own library lies."""
    return Path(sysconfig.get_path("stdlib"))


def source_files(root: Path) -> list[str]:
    """Paths of the Python sources under `root`, relative to it with forward slashes, sorted."""
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _INSTALLED | _TESTS_AND_DEMOS]
        here = Path(folder).relative_to(root)
        found += [(here / name).as_posix() for name in files if name.endswith(".py")]
    return sorted(found)


def collect(root: Path, files: Iterable[str], enough: int | None = None) -> Collection:
    """Read `files` in their order until there are `enough` functions; repeats are dropped.

    A file that cannot be read or parsed is counted, not raised: a standard library
    holds templates and deliberately broken sources.
    """
    seen: set[str] = set()
    kept: list[tuple[Function, ...]] = []
    skipped = total = 0
    for file in files:
        if enough is not None and total >= enough:
            break
        tree = _parse(root / file)
        if tree is None:
            skipped += 1
            continue
        kept.append(tuple(_unseen(tree, file, seen)))
        total += len(kept[-1])
    return Collection(tuple(kept), skipped)


def _parse(path: Path) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a source's own SyntaxWarnings are not the caller's
            return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None


def _unseen(tree: ast.Module, file: str, seen: set[str]) -> Iterator[Function]:
    for node, is_method in _definitions(tree.body, in_class=False):
        function = _function(node, file, is_method=is_method)
        if function is None:
            continue
        nameless = function.text.split("(", 1)[1]
        if nameless not in seen:
            seen.add(nameless)
            yield function


def _definitions(
    body: Iterable[ast.stmt], *, in_class: bool
) -> Iterator[tuple[FunctionNode, bool]]:
    """Functions of a module and methods, also under `if` and `try`; not functions in functions."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, in_class
        elif isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, in_class=True)
        elif isinstance(node, ast.If | ast.Try):
            yield from _definitions([*node.body, *node.orelse], in_class=in_class)


def _function(node: FunctionNode, file: str, *, is_method: bool) -> Function | None:
    node.decorator_list = []
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    text = ast.unparse(node)
    if not MIN_LINES <= text.count("\n") + 1 <= MAX_LINES:
        return None
    parts = nodes(node)
    if getattr(node, "type_params", None) or is_opaque(parts):
        return None
    if is_method and any(isinstance(part, ast.Name) and part.id == node.name for part in parts):
        return None  # the name means a global there, yet would look like recursion here
    names = renameable(node, parts, text)
    return Function(file, node.name, text, tuple(names), tuple(traits(parts)))
