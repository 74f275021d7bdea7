"""The models that come with the project: bundles that verbs know by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["DEFAULT", "KEPT", "kept_bundle", "languages_of"]

DEFAULT = "vulnerability-c"
# Name: the languages that the model was trained on, as `codewren.source` names them.
KEPT: Mapping[str, tuple[str, ...]] = {
    "vulnerability-c": ("c",),
    "vulnerability-c-hardened": ("c",),
    "clones-java": ("java",),
}

# In an installed package, then in a checkout.
FOLDERS = (Path(__file__).parent / "models", Path(__file__).resolve().parents[2] / "models")


def kept_bundle(name: str | Path) -> Path:
    """The path itself, or that of the kept model which has this name."""
    path = Path(name)
    if str(path) not in KEPT or path.exists():
        return path
    found = (folder / f"{path}.wren" for folder in FOLDERS)
    return next((bundle for bundle in found if bundle.is_file()), path)


def languages_of(bundle: Path) -> tuple[str, ...] | None:
    """The languages of a kept model; None for any other bundle, which may know all."""
    is_kept = bundle.resolve().parent in {folder.resolve() for folder in FOLDERS}
    return KEPT.get(bundle.stem) if is_kept else None
