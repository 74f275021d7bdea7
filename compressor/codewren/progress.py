"""What a long step reports to. Libraries call it; only the command line draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Bar", "Reporter", "Silent"]


class Bar(Protocol):
    """One running step."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """`count` more are done; `note` is a short state such as the loss."""
        ...


class Reporter(Protocol):
    """Shows steps and says lines."""

    def step(self, title: str, total: int) -> AbstractContextManager[Bar]:
        """A step of `total` units begins."""
        ...

    def say(self, line: str) -> None:
        """One line for the user."""
        ...


class _NoBar:
    def advance(self, count: int = 1, note: str = "") -> None:
        """Show nothing."""


class Silent:
    """Reports to nobody."""

    @contextmanager
    def step(self, title: str, total: int) -> Iterator[Bar]:  # noqa: ARG002
        """Show nothing."""
        yield _NoBar()

    def say(self, line: str) -> None:
        """Say nothing."""
