"""Work on many items in several threads, lazily and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["AHEAD", "in_order"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")

AHEAD = 4  # items read ahead for each thread: one slow item must not stop the others


def in_order(
    work: Callable[[Item], Answer], items: Iterable[Item], threads: int
) -> Iterator[Answer]:
    """`work(item)` of each item, in the order of the items.

    Items are read as answers are asked for, at most `AHEAD * threads` before the first answer
    that is still due; with one thread, none. An error is raised in its item's place.
    """
    if threads == 1:
        yield from map(work, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    due: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(threads, "codewren") as pool:
        try:
            for item in items:
                due.append(pool.submit(work, item))
                if len(due) >= AHEAD * threads:
                    yield due.popleft().result()
            while due:
                yield due.popleft().result()
        finally:
            for future in due:
                future.cancel()
