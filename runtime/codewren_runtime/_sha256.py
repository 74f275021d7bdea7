"""sha256 without OpenSSL: loading that costs an embedder 3.7 MB and 3 ms, to save 4 ms here.

The standard library's `random` takes its sha512 in the same way.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from _sha2 import sha256  # type: ignore[import-not-found, unused-ignore]
else:
    from _sha256 import sha256  # type: ignore[import-not-found, unused-ignore]

__all__ = ["sha256"]
