"""Which resolvers are asked, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from mailswitch.core.mx import Address, Vantage
from mailswitch.lookup.trust import TlsTrust

__all__ = ["Codec", "Timing", "Transport", "VantageSettings"]


class Transport(StrEnum):
    """How a vantage is spoken to."""

    UDP = "udp"
    """UDP with EDNS, and TCP where an answer is truncated (RFC 7766 §5)."""
    TCP = "tcp"
    """TCP only, for networks where UDP can be spoofed from outside."""
    TLS = "tls"
    """TLS only (RFC 7858), for networks where anything else can be read and changed on its way."""


class Codec(StrEnum):
    """Who reads replies."""

    FAST = "fast"
    """Replies of the usual shapes are read straight from their octets, all others by dnspython."""
    DNSPYTHON = "dnspython"
    """Every reply is read by dnspython."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageSettings:
    """One recursive resolver to ask."""

    name: str
    operator: str
    """Who runs it: a quorum counts operators."""
    address: Address
    port: int = 53
    transport: Transport = Transport.UDP
    tls: TlsTrust = field(default_factory=TlsTrust)
    """Whom a connection over TLS trusts."""
    is_own: bool = False
    """A resolver that a Plesk server asks itself: its own zones are no public view, but what the server finds."""

    def __post_init__(self) -> None:
        """Raise ValueError for a port outside 1-65535."""
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port {self.port} of vantage {self.name!r} is not within 1-65535")

    @property
    def key(self) -> str:
        """What tells the answers of this vantage from those of others, whatever it is called; without a space."""
        return f"{self.transport}://{self.address}#{self.port}"

    @property
    def vantage(self) -> Vantage:
        """The vantage as observations name it."""
        return Vantage(name=self.name, operator=self.operator, address=self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long and how hard vantages are asked. The defaults are far below what public resolvers allow."""

    timeout: timedelta = timedelta(seconds=3)
    """The longest wait for one try of one question, a change to TCP apart, which has as long again.

    The last try has it in full; those before it as long as the vantage's round trips say.
    """
    tries: int = 4
    deadline: timedelta = timedelta(minutes=30)
    """For a whole sweep; what is not answered by then is indeterminate."""
    concurrency: int = 50
    """Questions under way at one vantage."""
    rate: float | None = 200.0
    """Packets a second to one vantage at most; fewer while it loses or refuses many. None for no limit."""

    def __post_init__(self) -> None:
        """Raise ValueError for a value that would ask nothing or wait for nothing."""
        if self.timeout <= timedelta(0) or self.deadline <= timedelta(0):
            raise ValueError("the time-out and the deadline of lookups are longer than nothing")
        if self.tries < 1 or self.concurrency < 1 or (self.rate is not None and self.rate <= 0):
            raise ValueError("tries, concurrency and rate of lookups are above 0")
