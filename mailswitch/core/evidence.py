"""What a server's own mail log says about a name: the values behind two guards of design.md section 5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from mailswitch.core.domain import Network
from mailswitch.core.names import DomainName
from mailswitch.core.words import counted, duration

__all__ = ["Deliveries", "Evidence", "LogReading", "MailCount", "MailLog", "NoEvidence", "Traffic", "outside_in_words"]


_PREFIX_LENGTH = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class NoEvidence:
    """Nothing local to ask; ``reason`` is for people ("no readable mail log")."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Messages accepted from outside for local mailboxes on one day from one network."""

    day: date
    network: Network
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


class Traffic(StrEnum):
    """What happened to messages for a hosted name."""

    OUTSIDE = "outside"
    """Accepted from an outside host and delivered here."""
    CO_TENANT = "co-tenant"
    """Written on this server, or by its authenticated users, and delivered here."""
    REFUSED = "refused"
    """Refused to an outside host, because the name is not local: its switch is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCount:
    """How many messages there were of one kind for one name on one UTC day, from one network."""

    name: DomainName
    day: date
    traffic: Traffic
    network: Network | None
    """A /24 or a /48; None for co-tenants."""
    messages: int
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReading:
    """How far a server's mail log was read."""

    since: datetime
    """From when on it was read without a gap."""
    until: datetime
    """Up to when: the minute of its newest line."""
    bookmark: str
    """Where to go on, in the reader's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one look into a server's mail log brought."""

    reading: LogReading | None
    """How far it was read by now; None where nothing was."""
    counts: tuple[MailCount, ...] = ()
    """What is new since the look before."""
    problem: str | None = None
    """Why the log does not speak for today; None where all is well."""


def outside_in_words(deliveries: Collection[Deliveries], now: datetime) -> str | None:
    """Return how much mail came from outside, and the network that sent most of it; None where there was none."""
    by_network: Counter[str] = Counter()
    for one in deliveries:
        by_network[str(one.network)] += one.messages
    if not by_network:
        return None
    network, most = max(by_network.items(), key=lambda item: (item[1], item[0]))
    ago = duration(now - max(one.last for one in deliveries))
    whence = f"from {network}" if most == by_network.total() else f"{most} of them from {network}"
    return f"{counted(by_network.total(), 'message')} from outside in 7 days, {whence}, the last {ago} ago"
