"""Bytes on disk of what has to be installed for a model to answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import codewren_runtime

__all__ = ["RUNTIME", "TORCH", "installed"]

RUNTIME = ("numpy", "onnxruntime", "tokenizers")
TORCH = ("torch", "transformers")


def installed(needed: Sequence[str], *, runtime: bool) -> dict[str, Any]:
    """Bytes of the distributions `needed`, and of all that pip brings along with them.

    Byte code is left out, as is Python itself; `runtime` adds this project's own package of that
    name. Distributions that are not installed here are named as `missing`.
    """
    found, missing = _closure(needed)
    sizes = {name: _bytes(one) for name, one in found.items()}
    if runtime:
        folder = Path(codewren_runtime.__file__).parent
        sizes["codewren_runtime"] = sum(path.stat().st_size for path in folder.glob("*.py"))
    direct = [name for name in sizes if name in needed or name == "codewren_runtime"]
    return {
        "needed_bytes": sum(sizes[name] for name in direct),
        "needed": {name: sizes[name] for name in direct},
        "with_dependencies_bytes": sum(sizes.values()),
        "dependencies": {name: size for name, size in sizes.items() if name not in direct},
        "missing": missing,
    }


def _closure(names: Iterable[str]) -> tuple[dict[str, Distribution], list[str]]:
    """The distributions with all that they require here, and those that are not there."""
    found: dict[str, Distribution] = {}
    missing: list[str] = []
    pending = list(names)
    while pending:
        name = pending.pop()
        if name in found or name in missing:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        pending += _required(found[name])
    return found, missing


def _required(one: Distribution) -> Iterator[str]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for line in one.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _bytes(one: Distribution) -> int:
    paths = (Path(str(file.locate())) for file in one.files or () if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())
