"""What a server's own mail log says about a name: the values behind two guards of design.md section 5."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

__all__ = ["Deliveries", "Evidence", "MailLog", "NoEvidence"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLog:
    """What a readable mail log shows for one name."""

    covers: timedelta
    """How far back from now the log reaches without a gap."""
    outside: tuple[Deliveries, ...] = ()


Evidence = NoEvidence | MailLog
