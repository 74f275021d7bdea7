"""JSON as its standard has it: no NaN, no half characters, no name twice in an object.

Of two values by one name each reader takes another, so that what was checked need not be what
is used.
"""

from __future__ import annotations

import json
from typing import Any, cast

from codewren_runtime.errors import BundleError

__all__ = ["read_object"]


def read_object(name: str, data: bytes) -> dict[str, Any]:
    """The JSON object in `data`; BundleError names the entry `name` where there is none."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_object)
        if "\\ud" in text.lower():  # JSON can escape what no output can hold
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{name} is not UTF-8: export it again") from error
    except UnicodeEncodeError as error:
        raise BundleError(f"{name} holds half a character: export it again") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is not JSON ({error}): export it again") from error
    if not isinstance(value, dict):
        raise BundleError(f"{name} is not a JSON object: export it again")
    return cast(dict[str, Any], value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
