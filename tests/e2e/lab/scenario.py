"""What a scenario is: its names, what is special about them in DNS, and what happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.lab.play import Play

__all__ = ["AT_PROVIDER", "AT_SECOND", "Scenario"]

AT_PROVIDER = "mx1.provider.example."
AT_SECOND = "mx.second.example."


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario of the table."""

    letter: str
    title: str
    names: tuple[str, ...]
    """The zones it plays with; at its beginning they are here."""
    act: Callable[[Play], None]
