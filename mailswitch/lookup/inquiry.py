"""One question while it is open at a vantage, and each try of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.rdatatype

from mailswitch.core.names import DomainName
from mailswitch.lookup.wire import Query

__all__ = ["Inquiry", "Try"]


@dataclass(slots=True, eq=False)
class Inquiry:
    """One question until it is answered or given up."""

    name: DomainName
    rdtype: dns.rdatatype.RdataType
    wire: bytes
    """The name in wire form."""
    tries: int = 0
    """Tries made so far."""
    port: int | None = None
    """Where the last of them was sent from."""
    has_edns: bool = True
    current: Try | None = None
    """The try whose answer is waited for; None between tries and while TCP is used."""
    turn: int | None = None
    """Its place among those to be tried again; None when it is not to be."""
    keys: list[int] = field(default_factory=list)
    """Where its tries are pending."""


@dataclass(slots=True, eq=False)
class Try:
    """One packet that waits for its answer."""

    inquiry: Inquiry
    key: int
    """Its port and id in one number."""
    query: Query
    sent_at: float
    """In seconds of the event loop's clock."""
