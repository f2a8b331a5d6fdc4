"""Hosted domains, their switches, and what makes an address one of ours."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from mailswitch.core.mx import Address, is_routable
from mailswitch.core.names import DomainName, NamePattern

__all__ = [
    "HostedDomain",
    "Inventory",
    "Kind",
    "Platform",
    "ServerAddress",
    "ServerIdentity",
    "Switch",
    "SwitchTarget",
    "target_of",
]

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Switch(StrEnum):
    """Plesk's local-mail flag (design.md section 2)."""

    ON = "on"
    OFF = "off"
    NOT_CONFIGURED = "not-configured"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What Plesk calls the thing that bears the name (plesk.md section 0, items 1 and 2)."""

    DOMAIN = "domain"
    ADDON = "addon"
    SUBDOMAIN = "subdomain"
    ALIAS = "alias"


class Platform(StrEnum):
    """What the panel runs on: only Linux knows "Disabled for incoming mail" (plesk.md section 2.1)."""

    LINUX = "linux"
    WINDOWS = "windows"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedDomain:
    """One name that a panel can deliver mail for."""

    name: DomainName
    display_name: str
    """With U-labels, for people; made from ``name``, never taken from the panel."""
    kind: Kind
    switch: Switch
    panel_id: str
    """The panel's own id of the object whose flag this is; meaningful to its adapter only."""
    parent: DomainName | None = None
    """The domain an alias delivers into, or an addon or subdomain belongs to; None for a main domain."""
    created: date | None = None
    is_suspended: bool = False
    """The domain or its subscription is suspended, disabled, expired or under restore (plesk.md section 1.3)."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class ServerAddress:
    """An address the panel lists, with the public one that NAT maps to it (plesk.md section 1.8)."""

    address: Address
    public: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What one panel answered about itself and everything it hosts."""

    server: str
    """The name from the configuration."""
    panel: str
    """``xml-api`` or ``local``."""
    version: str | None
    platform: Platform
    host_name: DomainName | None
    """The panel's own full host name, where it told one."""
    addresses: tuple[ServerAddress, ...]
    domains: tuple[HostedDomain, ...]
    oddities: tuple[str, ...] = ()
    """Answers that were not understood and left out, one sentence each; shown as alerts."""
    clock_ahead: timedelta | None = field(default=None, compare=False)
    """How far the panel's clock is ahead of this machine's, to a second or so; None where it does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """*Ours*: the addresses and names by which one server takes mail (design.md section 4)."""

    addresses: frozenset[Address]
    networks: tuple[Network, ...] = ()
    hosts: tuple[NamePattern, ...] = ()
    """Names of the hoster's own inbound filters: an exchange so called is ours whatever it resolves to."""
    host_name: DomainName | None = None
    is_confirmed: bool = False
    """The administrator wrote ``local.confirmed``: having no domain here is no sign of a missing address."""

    def has(self, found: Address) -> bool:
        """Whether ``found`` is an address of ours."""
        return found in self.addresses or any(
            found.version == network.version and found in network for network in self.networks
        )

    @property
    def has_routable_ipv4(self) -> bool:
        """Whether any IPv4 address or network of ours can be reached from outside."""
        return any(a.version == 4 and is_routable(a) for a in self.addresses) or any(
            n.version == 4 and is_routable(n.network_address) for n in self.networks
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchTarget:
    """The one flag a write or a read-back is about."""

    name: DomainName
    kind: Kind
    panel_id: str


def target_of(domain: HostedDomain) -> SwitchTarget:
    """Return the flag that is ``domain``'s switch."""
    return SwitchTarget(name=domain.name, kind=domain.kind, panel_id=domain.panel_id)
