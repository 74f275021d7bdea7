from __future__ import annotations

from codewren.lsp.remembered import Remembered


def test_the_one_not_used_for_longest_goes() -> None:
    memory: Remembered[str, int | None] = Remembered(2)
    memory.put("a", 1)
    memory.put("b", 2)
    assert memory.get("a") == 1
    memory.put("c", 3)
    assert (memory.get("a"), memory.get("b"), memory.get("c"), len(memory)) == (1, None, 3, 2)
