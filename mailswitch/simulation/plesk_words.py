"""What every part of the simulated ``plesk`` program says: what was printed, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Printed"]


@dataclass(frozen=True, slots=True)
class Printed:
    """What a program printed, and how it ended."""

    out: str = ""
    err: str = ""
    code: int = 0
