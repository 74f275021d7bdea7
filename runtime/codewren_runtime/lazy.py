"""A sequence whose items are made when they are asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar, overload

__all__ = ["Lazy"]

Item_co = TypeVar("Item_co", covariant=True)


class Lazy(Sequence[Item_co]):
    """Subclasses have a length, and make the item at a place from 0; slices are lists."""

    @abstractmethod
    def at(self, place: int) -> Item_co:
        """The item at a place that there is."""

    @overload
    def __getitem__(self, index: int) -> Item_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item_co]: ...
    def __getitem__(self, index: int | slice) -> Item_co | list[Item_co]:
        chosen = range(len(self))[index]  # IndexError beyond the end
        return self.at(chosen) if isinstance(chosen, int) else [self.at(at) for at in chosen]
