"""What the options before the command's name say; click hands it to every command as its object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Invocation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The options of the program itself."""

    config: Path | None = None
    """The configuration file as given; None means the default one, if it is there."""
