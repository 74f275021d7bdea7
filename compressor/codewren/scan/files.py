"""The source files of a tree, as git sees it."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from codewren.source import language_of
from codewren_runtime.errors import DataError

__all__ = ["MAX_BYTES", "SourceFile", "find_files", "root_of"]

MAX_BYTES = 2_000_000
VENDORED = frozenset(
    {"__pycache__", "bower_components", "node_modules", "site-packages", "third_party", "vendor"}
)
LINK, TOO_LARGE, UNREADABLE = "links", f"over {MAX_BYTES // 1_000_000} MB", "unreadable"
NO_SOURCE = "of no known language"

# The folder that a .gitignore lies in, its patterns and their lines; outermost first.
Ignores = tuple[tuple[str, GitIgnoreSpec, tuple[str, ...]], ...]
INSIDE = "/**"  # what a folder holds, but not the folder: patterns that follow may take some back


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to scan: where it lies, and its path from the root with forward slashes."""

    path: str
    name: str


def root_of(paths: Sequence[Path]) -> str:
    """The folder that results are relative to: the current one, or what all paths share."""
    here, absolute = Path.cwd(), [_absolute(path) for path in paths]
    if all(path.is_relative_to(here) for path in absolute):
        return str(here)
    return os.path.commonpath([path if path.is_dir() else path.parent for path in absolute])


def find_files(paths: Sequence[Path], root: str, skipped: Counter[str]) -> list[SourceFile]:
    """The source files under `paths`, each once, sorted by name.

    Folders are searched as git would: without what a `.gitignore` in them, or above them up to
    the repository's root, names; and without hidden and vendored folders and links. A path that
    is given by name is taken whatever ignores it. `skipped` counts by reason what was passed
    over. Raises DataError for a path that is not there.
    """
    found = {}
    for path in paths:
        absolute = _absolute(path)
        if absolute.is_dir():
            found.update(dict.fromkeys(_walk(str(absolute), skipped)))
        elif language_of(absolute) is None:
            skipped[NO_SOURCE] += 1
        elif absolute.is_file():
            found[str(absolute)] = None
        else:
            skipped[UNREADABLE] += 1
    names = ((os.path.relpath(path, root).replace(os.sep, "/"), path) for path in found)
    return [SourceFile(path, name) for name, path in sorted(names)]


def _absolute(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or "a loop of links"
        raise DataError(f"{path}: {reason}; give files or folders") from error


def _walk(top: str, skipped: Counter[str]) -> Iterator[str]:
    """Paths of source files, without recursion."""
    folders = [(top, _ignores_above(top))]
    while folders:
        folder, above = folders.pop()
        ignores = (*above, *_ignores_in(folder))
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name, reverse=True)
        except OSError:
            skipped[UNREADABLE] += 1
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in VENDORED and not _ignored(entry.path + os.sep, ignores):
                    folders.append((entry.path, ignores))
            elif language_of(entry.name) is not None and not _ignored(entry.path, ignores):
                if (reason := _passed_over(entry)) is None:
                    yield entry.path
                else:
                    skipped[reason] += 1


def _passed_over(entry: os.DirEntry[str]) -> str | None:
    if entry.is_symlink():  # what it points to in the tree is found by its own name
        return LINK
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return UNREADABLE
    if not stat.S_ISREG(status.st_mode):
        return UNREADABLE
    return TOO_LARGE if status.st_size > MAX_BYTES else None


def _ignores_above(top: str) -> Ignores:
    """The patterns of the repository around `top`; none if they ignore `top` itself."""
    found: list[tuple[str, GitIgnoreSpec, tuple[str, ...]]] = []
    for folder in Path(top).parents:
        if (Path(top) / ".git").exists():
            return ()
        found = [*_ignores_in(str(folder)), *found]
        if (folder / ".git").exists():
            ignores = tuple(found)
            return () if _ignored(top + os.sep, ignores) else ignores
    return ()


def _ignores_in(folder: str) -> Ignores:
    try:
        raw = (Path(folder) / ".gitignore").read_bytes().split(b"\n")
    except OSError:
        return ()
    lines = tuple(filter(_is_pattern, map(os.fsdecode, raw)))
    return ((folder, GitIgnoreSpec.from_lines(lines), lines),)


def _is_pattern(line: str) -> bool:
    """Whether `line` means something; git passes over what means nothing."""
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _ignored(path: str, ignores: Ignores) -> bool:
    """Whether the innermost pattern that matches ignores `path`, a folder if it ends in a slash."""
    for folder, spec, lines in reversed(ignores):
        inside = path[len(folder.rstrip(os.sep)) + 1 :].replace(os.sep, "/")
        verdict = spec.check_file(inside).include
        if inside.endswith("/") and any(line.rstrip().endswith(INSIDE) for line in lines):
            # pathspec takes d/** for a match of d/ itself, git does not.
            others = [line for line in lines if line.rstrip() != inside[:-1] + INSIDE]
            verdict = GitIgnoreSpec.from_lines(others).check_file(inside).include
        if verdict is not None:
            return verdict
    return False
