"""Who serves a name's zone, as public DNS tells it: a fact for people, on which no decision hangs."""

from __future__ import annotations

from dataclasses import dataclass

from mailswitch.core.mx import HostAnswer, Indeterminate
from mailswitch.core.names import DomainName

__all__ = ["ZoneAnswer", "ZoneServer", "ZoneServers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneServer:
    """One name server of a zone, and where it is."""

    name: DomainName
    host: HostAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneServers:
    """The name servers of the zone that a name is in (RFC 1034 §4.2.1)."""

    zone: DomainName
    """The name itself, or the closest one above it that has name servers."""
    servers: tuple[ZoneServer, ...]
    """By name; never empty."""
    left_out: int = 0
    """Further ones, of which nothing but their number is told."""


ZoneAnswer = ZoneServers | Indeterminate
