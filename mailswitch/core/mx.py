"""What public DNS said about mail for a name: MX answers, host answers, vantages, observations.

Facts:

- ``preference`` is 0-65535, the lower value is tried first (RFC 5321 §5.1); the order of an RRset means nothing.
- One record ``0 .`` is a null MX: the domain takes no mail (RFC 7505 §3). It is not the same as no MX at all.
- No MX record: the name's own addresses serve, as if listed with preference 0 (RFC 5321 §5.1).
- NODATA and NXDOMAIN are answers; SERVFAIL, REFUSED, a time-out and the like are none (RFC 2308 §2, §7).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Traffic

__all__ = [
    "AUTHORITATIVE",
    "MX",
    "Address",
    "Addresses",
    "HostAnswer",
    "Indeterminate",
    "MXAnswer",
    "NoAddress",
    "NoMX",
    "NoSuchDomain",
    "NoSuchHost",
    "NullMX",
    "Observation",
    "Published",
    "Vantage",
    "VantageCount",
    "address",
    "is_routable",
    "plain",
]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

AUTHORITATIVE = "authoritative"
"""The name of the vantage that is each domain's own name servers."""

_UNROUTABLE = tuple(
    ipaddress.ip_network(text)
    for text in (
        # RFC 1122 §3.2.1.3, RFC 1918 §3, RFC 6598 §7, RFC 3927 §2.1, RFC 5771 §3, RFC 1112 §4 (reserved, broadcast)
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # RFC 4291 §2.5.2, §2.5.3, §2.5.6, §2.7; RFC 4193 §3.1
        "::/128",
        "::1/128",
        "fe80::/10",
        "ff00::/8",
        "fc00::/7",
    )
)


def address(text: str) -> Address:
    """Return the address that ``text`` names, an IPv4-mapped IPv6 address as IPv4 (RFC 4291 §2.5.5.2).

    Raises:
        ValueError: ``text`` is no address.
    """
    return plain(ipaddress.ip_address(text))


def plain(found: Address) -> Address:
    """Return ``found`` as it is compared: an IPv4-mapped IPv6 address as IPv4, and no zone of a link."""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return found.ipv4_mapped
        if found.scope_id is not None:
            return ipaddress.IPv6Address(int(found))
    return found


def is_routable(found: Address) -> bool:
    """Whether mail from outside can reach ``found``; documentation ranges count as routable (design.md section 4)."""
    return not any(found.version == network.version and found in network for network in _UNROUTABLE)


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class MX:
    """One MX record (RFC 1035 §3.3.9)."""

    preference: int
    exchange: DomainName

    def __post_init__(self) -> None:
        """Raise ValueError for a preference outside 0-65535."""
        if not 0 <= self.preference <= 65535:
            raise ValueError(f"MX preference {self.preference} is not within 0-65535")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An MX RRset, root exchanges included as they came (the route rules know what they mean)."""

    records: frozenset[MX]
    ttl: timedelta

    def __post_init__(self) -> None:
        """Raise ValueError for an empty RRset: that is NoMX, another answer."""
        if not self.records:
            raise ValueError("an MX RRset has at least one record")


@dataclass(frozen=True, slots=True, kw_only=True)
class NullMX:
    """The domain says that it takes no mail (RFC 7505 §3)."""

    ttl: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMX:
    """The name exists and has no MX record (NODATA)."""

    ttl: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSuchDomain:
    """The name does not exist (NXDOMAIN, with its SOA)."""

    ttl: timedelta


@dataclass(frozen=True, slots=True)
class Indeterminate:
    """No answer one could rely on; ``reason`` is for people ("SERVFAIL", "time-out after 3 tries")."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of a host, as far as they were answered."""

    addresses: frozenset[Address]
    canonical: tuple[DomainName, ...] = ()
    """The names a CNAME chain led through, the last one owning the addresses; empty without a CNAME."""
    unanswered: str | None = None
    """Why one of A and AAAA is not known ("AAAA: SERVFAIL"); None when both were answered."""

    def __post_init__(self) -> None:
        """Raise ValueError without any address: that is NoAddress or Indeterminate."""
        if not self.addresses:
            raise ValueError("a host without addresses is another answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAddress:
    """The name exists and has neither A nor AAAA."""

    canonical: tuple[DomainName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSuchHost:
    """The name, or the end of its CNAME chain, does not exist."""

    canonical: tuple[DomainName, ...] = ()


_NOT_ASKED = Indeterminate("not asked")

MXAnswer = Published | NullMX | NoMX | NoSuchDomain | Indeterminate
HostAnswer = Addresses | NoAddress | NoSuchHost | Indeterminate


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Vantage:
    """One independent public view (design.md section 2)."""

    name: str
    operator: str
    """Who runs it: a quorum counts operators, not resolvers."""
    address: Address | None = field(default=None, compare=False)
    """Where it is asked; one of a server's own addresses is no public view of that server's domains."""
    is_authoritative: bool = field(default=False, compare=False)
    """The domain's own name servers, whoever and wherever they are."""
    is_required: bool = field(default=False, compare=False)
    """Nothing is turned off without its word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageCount:
    """How one vantage fared in a sweep."""

    vantage: Vantage
    queries: int
    """Questions put to it (a retried question counts once)."""
    failures: int
    """Questions that ended without an answer to rely on."""
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one vantage said about one name at one time."""

    name: DomainName
    vantage: Vantage
    at: datetime
    mx: MXAnswer
    hosts: tuple[tuple[DomainName, HostAnswer], ...] = ()
    """The answer for each exchange; with NoMX the one for the name itself. A host missing here is indeterminate."""
    canonical: tuple[DomainName, ...] = ()
    """The names a CNAME at the name itself led through; empty without one."""
    is_remembered: bool = False
    """Answered from memory: counts as no sighting."""

    def host(self, name: DomainName) -> HostAnswer:
        """Return what is known of the host ``name``."""
        for host, answer in self.hosts:
            if host == name:
                return answer
        return _NOT_ASKED
