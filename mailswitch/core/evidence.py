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

__all__ = [
    "Deliveries",
    "Evidence",
    "Gathered",
    "LogReading",
    "LoginCount",
    "MailCount",
    "MailLog",
    "NoEvidence",
    "Traffic",
    "Written",
    "outside_in_words",
]


_PREFIX_LENGTH = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class NoEvidence:
    """Nothing local to ask; ``reason`` is for people ("no readable mail log")."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Messages from outside on one day from one network: accepted for local mailboxes, or refused."""

    day: date
    network: Network | None
    """A /24 or a /48; None for all those networks together that are too many to be kept apart."""
    messages: int
    last: datetime
    """When the last of them came."""
    is_gateway: bool = False
    """Its hosts bear the name of a known filter that hands mail on, and the name was checked (Postfix does)."""

    def __post_init__(self) -> None:
        """Raise ValueError for anything that would make one sender look like many, or many messages like few."""
        if self.network is not None and self.network.prefixlen != _PREFIX_LENGTH[self.network.version]:
            raise ValueError(f"{self.network} is neither a /24 nor a /48")
        if self.messages < 1:
            raise ValueError(f"{self.messages} messages are no deliveries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Messages that were written on this server, or by its authenticated users, and delivered here on one day."""

    day: date
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginCount:
    """How many times somebody logged in to one mailbox on one UTC day, by IMAP or POP3."""

    name: DomainName
    mailbox: str
    """The local part, in lower case; empty for mailboxes that are too many to be kept apart."""
    day: date
    logins: int
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLog:
    """What a readable mail log shows for one name."""

    covers: timedelta
    """How far back from now the log reaches without a gap."""
    outside: tuple[Deliveries, ...] = ()
    """Accepted from outside."""
    refused: tuple[Deliveries, ...] = ()
    """Refused to outside hosts because the name is not local: its switch is off."""
    written: tuple[Written, ...] = ()
    """From co-tenants, the oldest day first."""
    logins: tuple[LoginCount, ...] = ()
    """The oldest day first; only where one name is looked at thoroughly, since no decision rests on them."""


Evidence = NoEvidence | MailLog


class Traffic(StrEnum):
    """What happened to messages for a hosted name."""

    OUTSIDE = "outside"
    """Accepted from an outside host and delivered here."""
    CO_TENANT = "co-tenant"
    """Written on this server, or by its authenticated users, and delivered here."""
    REFUSED = "refused"
    """Refused to an outside host, because the name is not local: its switch is off."""
    REFUSED_GATEWAY = "refused-gateway"
    """The same, where the host bears the checked name of a known filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCount:
    """How many messages there were of one kind for one name on one UTC day, from one network."""

    name: DomainName
    day: date
    traffic: Traffic
    network: Network | None
    """A /24 or a /48; None for co-tenants, and for networks that are too many or too old to be kept apart."""
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
    logins: tuple[LoginCount, ...] = ()
    """The same of log-ins."""
    problem: str | None = None
    """Why the log does not speak for today; None where all is well."""


def outside_in_words(deliveries: Collection[Deliveries], now: datetime) -> str | None:
    """Return how much mail came from outside, and the network that sent most of it; None where there was none."""
    by_network: Counter[str] = Counter()
    for one in deliveries:
        by_network["many networks" if one.network is None else str(one.network)] += one.messages
    if not by_network:
        return None
    network, most = max(by_network.items(), key=lambda item: (item[1], item[0]))
    ago = duration(now - max(one.last for one in deliveries))
    whence = f"from {network}" if most == by_network.total() else f"{most} of them from {network}"
    return f"{counted(by_network.total(), 'message')} from outside in 7 days, {whence}, the last {ago} ago"
