"""What a server's own mail log says about a name: the values behind two guards of design.md section 5."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

__all__ = ["Deliveries", "Evidence", "MailLog", "NoEvidence"]


_PREFIX_LENGTH = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class NoEvidence:
    """Nothing local to ask; ``reason`` is for people ("no readable mail log")."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Messages accepted from outside for local mailboxes on one day from one network."""

    day: date
    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    """A /24 or a /48."""
    messages: int
    last: datetime
    """When the last of them came."""

    def __post_init__(self) -> None:
        """Raise ValueError for anything that would make one sender look like many, or many messages like few."""
        if self.network.prefixlen != _PREFIX_LENGTH[self.network.version]:
            raise ValueError(f"{self.network} is neither a /24 nor a /48")
        if self.messages < 1:
            raise ValueError(f"{self.messages} messages are no deliveries")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLog:
    """What a readable mail log shows for one name."""

    covers: timedelta
    """How far back from now the log reaches without a gap."""
    outside: tuple[Deliveries, ...] = ()


Evidence = NoEvidence | MailLog
