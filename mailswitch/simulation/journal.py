"""What a simulated panel remembers of those who asked it."""

from __future__ import annotations

from dataclasses import dataclass

from mailswitch.core.domain import Switch
from mailswitch.core.names import DomainName

__all__ = ["Request", "Write"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came, whatever became of it."""

    number: int
    """Counts up over everything the panel was asked."""
    kind: str
    """``xml``, ``db`` or ``bin``."""
    operations: tuple[str, ...]
    """``mail/get_prefs``, ``domain --update``, ``db`` and the like; empty when it could not be understood."""
    is_write: bool
    text: str
    """The packet, the SQL, or the arguments; never the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One switch that the panel was rightly asked to turn."""

    name: DomainName
    to: Switch
    interface: str
    """``xml`` or ``bin``."""
    is_applied: bool
    """False where misbehaviour said yes and did nothing."""
