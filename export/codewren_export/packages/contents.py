"""A checked bundle as bytes again, the same for a file and for a folder."""

from __future__ import annotations

from codewren_export.pack import pack
from codewren_runtime.bundle import HEAD, MANIFEST, MODEL, TOKENIZER, Bundle
from codewren_runtime.files import canonical_json

__all__ = ["model_files", "packed"]


def model_files(bundle: Bundle) -> dict[str, bytes]:
    """The bundle's entries by name, the manifest among them."""
    return {MANIFEST: canonical_json(bundle.manifest.to_json()), **_parts(bundle)}


def packed(bundle: Bundle) -> bytes:
    """The bundle as a `.wren` file."""
    return pack(bundle.manifest.to_json(), _parts(bundle))


def _parts(bundle: Bundle) -> dict[str, bytes]:
    parts = {MODEL: bundle.model, TOKENIZER: bundle.tokenizer_json.encode()}
    return parts if bundle.head is None else {**parts, HEAD: bundle.head}
