"""Source files as unlabelled texts: Python by function, other languages by file."""

from __future__ import annotations

import ast
import hashlib
import os
import textwrap
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from codewren.data.problems import BadRow, Problem, cannot_read, refuse
from codewren_runtime.errors import DataError
from codewren_runtime.files import sha256_of

__all__ = [
    "EXTENSIONS",
    "SourceText",
    "Sources",
    "each_source",
    "read_sources",
    "read_text",
    "source_files",
]

EXTENSIONS = frozenset(
    (".py", ".c", ".h", ".cc", ".cpp", ".hpp", ".java", ".js", ".ts", ".go", ".php", ".rb", ".rs")
)
MAX_FILE_BYTES = 50_000_000
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules"})

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class SourceText:
    """A function or a whole file, and the line (from 1) of the file where it begins."""

    path: Path
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Texts in the order of the files' names; `sha256` is of the names and bytes read."""

    texts: tuple[SourceText, ...]
    sha256: str
    bad_rows: tuple[BadRow, ...]


def read_sources(path: Path, *, skip_bad_rows: bool = False) -> Sources:
    """Read a source file, or all under a folder whose extension is in EXTENSIONS.

    A Python file gives its functions and methods, without decorators and with those inside
    them; one without any, and a file of another language, gives itself. Empty files,
    hidden folders, `__pycache__`, `node_modules` and links to folders are passed over.
    A file that is not UTF-8, is binary, over 50 MB, or is no Python is a bad row.
    Raises DataError if there is no text, and for bad rows unless `skip_bad_rows`.
    """
    texts: list[SourceText] = []
    sha256, bad = each_source(path, texts.append, skip_bad_rows=skip_bad_rows)
    return Sources(tuple(texts), sha256, bad)


def each_source(
    path: Path, take: Callable[[SourceText], object], *, skip_bad_rows: bool = False
) -> tuple[str, tuple[BadRow, ...]]:
    """Give `take` one text after the other; the rest, and the errors, are `read_sources`'."""
    bad: list[BadRow] = []
    hashes: dict[str, str] = {}
    root, taken = path if path.is_dir() else path.parent, 0
    for file in source_files(path):
        try:
            data, text = read_text(file)
            hashes[file.relative_to(root).as_posix()] = hashlib.sha256(data).hexdigest()
            for source in _texts(file, text):
                take(source)
                taken += 1
        except Problem as problem:
            bad.append(problem.at(file, 1))
    if not skip_bad_rows:
        refuse(bad)
    if not taken:
        raise DataError(_nothing(path, bad))
    return sha256_of(hashes), tuple(bad)


def _nothing(path: Path, bad: list[BadRow]) -> str:
    if bad:
        return f"{path}: no usable source, {len(bad):,} bad; the first: {bad[0]}"
    return f"{path}: no source text there — give one with {' '.join(sorted(EXTENSIONS))} files"


def source_files(path: Path) -> Iterator[Path]:
    """Source files under a folder, sorted; a file itself."""
    if not path.is_dir():
        yield path
        return
    found: list[Path] = []
    try:
        for folder, folders, names in os.walk(path, onerror=_raise):
            folders[:] = [n for n in folders if not n.startswith(".") and n not in SKIPPED_FOLDERS]
            found += [Path(folder, name) for name in names]
    except OSError as error:
        raise cannot_read(Path(error.filename or path), error) from error
    yield from sorted(file for file in found if file.suffix.lower() in EXTENSIONS)


def _raise(error: OSError) -> None:
    raise error


def _read(file: Path) -> bytes:
    try:
        if file.exists() and not file.is_file():
            raise Problem("is not a regular file", "remove it")
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        if file.is_symlink():
            raise Problem("is a link to nothing", "remove it") from error
        raise cannot_read(file, error) from error
    except OSError as error:
        raise Problem(f"cannot be read ({error.strerror or error})", "make it readable") from error
    if len(data) > MAX_FILE_BYTES:
        raise Problem("is over 50 MB", "split it")
    return data


def read_text(file: Path) -> tuple[bytes, str]:
    """A file's bytes and text; raises Problem for one that is no text."""
    data = _read(file)
    if b"\0" in data:
        raise Problem("is a binary file", "remove it")
    try:
        return data, data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem("is not UTF-8 text", "save it as UTF-8") from error


def _texts(file: Path, text: str) -> list[SourceText]:
    if not text.strip():
        return []
    functions = _functions(file, text) if file.suffix.lower() == ".py" else []
    return functions or [SourceText(file, 1, text)]


def _functions(file: Path, text: str) -> list[SourceText]:
    # The parser counts these three as line ends; str.splitlines knows more (form feeds).
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = []
    for node in _definitions(_parse(text)):
        body = textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno]))
        found.append(SourceText(file, node.lineno, body))
    return found


def _parse(text: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a source's own SyntaxWarnings are not the caller's
            return ast.parse(text)
    except SyntaxError as error:
        what = f"is not Python 3 ({error.msg}, line {error.lineno})"
        raise Problem(what, "mend or remove it") from error
    except (ValueError, RecursionError, MemoryError) as error:  # the last two: nested too deep
        raise Problem("is Python that cannot be parsed", "remove it") from error


def _definitions(tree: ast.AST) -> Iterator[FunctionNode]:
    """The outermost functions in the order of lines, also in classes and under statements."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, FunctionNode):
            yield node
        else:
            # No recursion of our own, and no expression: only statements hold definitions.
            children = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.expr)]
            waiting += reversed(children)
