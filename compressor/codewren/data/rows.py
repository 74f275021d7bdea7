"""One line of JSON to an object, and its fields to checked values."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

from codewren.data.problems import Problem, shown

__all__ = ["ORIGINAL", "id_in", "original_in", "parse_row", "text_in", "value_in"]

# The field in which a rewritten row keeps the one or two texts that it was made from.
ORIGINAL = "rewritten_from"

MEND = "mend the row"
FIELDS_SHOWN = 8


def parse_row(line: bytes | None) -> dict[str, Any]:
    """The object of a line (None: too long); raises Problem for anything else."""
    if line is None:
        raise Problem("line is over 50 MB", "write one JSON object per line")
    try:
        row = json.loads(line.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise Problem("is not UTF-8 text", "save the file as UTF-8") from error
    except RecursionError as error:
        raise Problem("JSON is nested too deep", MEND) from error
    except json.JSONDecodeError as error:
        why = f"is not JSON ({error.msg} at column {error.colno})"
        raise Problem(why, "write one JSON object per line") from error
    except ValueError as error:  # an integer of thousands of digits
        raise Problem("holds a number that is too long", MEND) from error
    if not isinstance(row, dict):
        raise Problem(f"is {shown(row)}, not a JSON object", "write one JSON object per line")
    return row


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without repeated keys: which value counts differs from reader to reader."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in made if keys.count(key) > 1)
        raise Problem(f"field {shown(repeated)} occurs twice", MEND)
    return made


def value_in(row: dict[str, Any], field: str, option: str) -> Any:
    """The value of a field; raises Problem naming the fields there are."""
    if field not in row:
        names = [key if key.isidentifier() else shown(key) for key in islice(row, FIELDS_SHOWN)]
        more = ", …" if len(row) > FIELDS_SHOWN else ""
        has = f"row has: {', '.join(names)}{more}" if names else "row is empty"
        remedy = f"name it with {option}" if option.startswith("--") else option
        raise Problem(f"no field {shown(field)}; {has}", remedy)
    return row[field]


def text_in(row: dict[str, Any], field: str, option: str) -> str:
    """The text of a field, with a UTF-8 form; raises Problem if it is empty or no string.

    JSON can escape halves of characters (lone surrogates), which no file can hold:
    they become `?`, as in the runtime's normalisation. Tokens in a field that is named after them
    (CodeSearchNet's `docstring_tokens`) are joined.
    """
    value = value_in(row, field, option)
    is_list = field.endswith("tokens") and isinstance(value, list)
    if is_list and value and all(isinstance(token, str) for token in value):
        value = " ".join(value)
    if not isinstance(value, str):
        raise Problem(f"field {shown(field)} is {shown(value)}, not a text", MEND)
    if not value.strip():
        raise Problem(f"field {shown(field)} is empty", MEND)
    return value.encode("utf-8", "replace").decode("utf-8")


def id_in(row: dict[str, Any], field: str, option: str) -> str:
    """The id of a field, a string; an integer is its digits. Raises Problem for anything else."""
    value = value_in(row, field, option)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise Problem(f"field {shown(field)} is {shown(value)}, not an id", MEND)
    return str(value)


def original_in(row: dict[str, Any], count: int) -> tuple[str, ...] | None:
    """The `count` texts that a rewritten row was made from; None for any other row."""
    value = row.get(ORIGINAL)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != count:
        raise Problem(f"field {ORIGINAL} is {shown(value)}, not a list of {count} texts", MEND)
    return tuple(text_in({ORIGINAL: text}, ORIGINAL, MEND) for text in value)
