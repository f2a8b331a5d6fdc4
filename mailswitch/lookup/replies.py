"""What one vantage answered to one question, and the core answers that replies make.

Facts:

- NXDOMAIN speaks of the end of a CNAME chain (RFC 6604 §3): for a mail server it is "no such domain" there, too.
- NXDOMAIN holds for all types (RFC 8020 §2), but broken name servers say it to AAAA although the name has an A
  (RFC 4074 §4.2): on the word of AAAA alone no host is missing while A is not known.
- An MX RRset of root exchanges only takes no mail (RFC 7505 §3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from mailswitch.core.mx import (
    MX,
    Address,
    Addresses,
    HostAnswer,
    Indeterminate,
    MXAnswer,
    NoAddress,
    NoMX,
    NoSuchDomain,
    NoSuchHost,
    NullMX,
    Published,
)
from mailswitch.core.names import DomainName

__all__ = [
    "Again",
    "Answer",
    "Found",
    "NotThere",
    "Nothing",
    "Reply",
    "Unfinished",
    "Unreliable",
    "host_answer",
    "mx_answer",
]


class Again(Enum):
    """Whether the same question to the same vantage may have better luck."""

    NEVER = 0
    ONCE = 1
    ALWAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The records asked for: MX values or addresses."""

    mx: frozenset[MX] = frozenset()
    addresses: frozenset[Address] = frozenset()
    ttl: timedelta
    """The smallest of the RRset and the chain before it."""
    canonical: tuple[DomainName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """NODATA: the name is there and has no such records."""

    ttl: timedelta
    canonical: tuple[DomainName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """NXDOMAIN: the name, or the end of its chain, is not there."""

    ttl: timedelta
    canonical: tuple[DomainName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A CNAME chain whose end was left out of the answer: its last name has to be asked for."""

    ttl: timedelta
    canonical: tuple[DomainName, ...]


@dataclass(frozen=True, slots=True)
class Unreliable:
    """No answer to rely on, and why, for people."""

    reason: str
    again: Again = Again.NEVER
    is_cut_off: bool = field(default=False, compare=False)
    """The deadline of the lookups passed, and nothing is said of the vantage."""


Reply = Found | Nothing | NotThere | Unfinished | Unreliable

Answer = tuple[Reply, datetime]
"""A reply, and when it came."""


def mx_answer(reply: Reply) -> MXAnswer:
    """Return the MX answer that a reply to an MX question is."""
    match reply:
        case Found(mx=records, ttl=ttl) if all(record.exchange.is_root for record in records):
            return NullMX(ttl=ttl)
        case Found(mx=records, ttl=ttl):
            return Published(records=records, ttl=ttl)
        case Nothing(ttl=ttl):
            return NoMX(ttl=ttl)
        case NotThere(ttl=ttl):
            return NoSuchDomain(ttl=ttl)
        case Unfinished():
            return Indeterminate("the CNAME chain has no end")
        case Unreliable(reason=reason):
            return Indeterminate(reason)


def host_answer(a: Reply, aaaa: Reply) -> HostAnswer:
    """Return the host answer that the replies to an A and an AAAA question are together."""
    failures = "; ".join(
        f"{rdtype}: {reason}" for rdtype, reason in (("A", _failure(a)), ("AAAA", _failure(aaaa))) if reason is not None
    )
    found = [reply for reply in (a, aaaa) if isinstance(reply, Found)]
    if found:
        addresses = frozenset[Address]().union(*(reply.addresses for reply in found))
        return Addresses(addresses=addresses, canonical=found[0].canonical, unanswered=failures or None)
    if isinstance(a, NotThere):
        return NoSuchHost(canonical=a.canonical)
    if failures:
        return Indeterminate(failures)
    if isinstance(aaaa, NotThere):
        return NoSuchHost(canonical=aaaa.canonical)
    return NoAddress(canonical=a.canonical if isinstance(a, Nothing) else ())


def _failure(reply: Reply) -> str | None:
    match reply:
        case Unreliable(reason=reason):
            return reason
        case Unfinished():
            return "the CNAME chain has no end"
        case Found() | Nothing() | NotThere():
            return None
