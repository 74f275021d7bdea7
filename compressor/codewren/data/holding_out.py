"""Rows held out of a data set, by content: equal code is never on both sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

from codewren_distill.soft_labels import example_key
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example

__all__ = ["hold_out"]


def hold_out(
    examples: Sequence[Example], share: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """The rest and the held-out, both in their order; of each label about `share` is held out.

    The order of hashes of (seed, content) decides. Raises DataError if one side were empty.
    """
    keys = [sha256(b"%d" % seed + example_key(example)).digest() for example in examples]
    label_of = dict(zip(keys, (example.label for example in examples), strict=True))
    of_label: dict[int | None, list[bytes]] = defaultdict(list)
    for key in sorted(label_of):
        of_label[label_of[key]].append(key)
    held = {key for same in of_label.values() for key in same[: round(share * len(same))]}
    rest = [example for example, key in zip(examples, keys, strict=True) if key not in held]
    chosen = [example for example, key in zip(examples, keys, strict=True) if key in held]
    if not rest or not chosen:
        raise DataError(
            f"valid_share {share:g} of {len(examples)} rows leaves one side without rows; "
            "give another share"
        )
    return rest, chosen
