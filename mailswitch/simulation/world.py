"""A world as values: servers, what they host, the public DNS truth, and who sees it how (design.md section 9).

`world_file` makes these from YAML; tests may make them by hand.
Only the standard library and core are imported here, because the simulated ``plesk`` executable has to start quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from mailswitch.core.domain import Kind, Platform, ServerAddress, Switch
from mailswitch.core.names import DomainName
from mailswitch.simulation.misbehaviour import Misbehaviour

__all__ = [
    "DEFAULT_CREATED",
    "DEFAULT_VANTAGES",
    "DEFAULT_VERSION",
    "MailKind",
    "World",
    "WorldDomain",
    "WorldMail",
    "WorldMailLog",
    "WorldResolver",
    "WorldServer",
    "WorldVantage",
]

DEFAULT_CREATED = date(2019, 5, 6)
"""When a hosted name was created that does not say so: years before anything the simulation is about."""

DEFAULT_VERSION = "18.0.61"

DEFAULT_HOST_NAME = DomainName("plesk.hoster.example")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldDomain:
    """One hosted name."""

    name: DomainName
    kind: Kind = Kind.DOMAIN
    switch: Switch = Switch.ON
    of: DomainName | None = None
    """The subscription of an addon, the site a subdomain or an alias belongs to; None for a main domain only."""
    status: int = 0
    """Plesk's bit sum: 0 active, 2 with its parent, 4 under restore, 16 disabled by the administrator and so on
    (plesk.md section 1.3)."""
    created: date = DEFAULT_CREATED
    display: str | None = None
    """What the panel shows as the name, where it is not simply the name with U-labels; may be hostile."""


class MailKind(StrEnum):
    """What a server's mail log tells of."""

    OUTSIDE = "outside"
    """A message from an outside host was delivered here."""
    CO_TENANT = "co-tenant"
    """A web site of this server wrote one, and it was delivered here."""
    REFUSED = "refused"
    """A message from an outside host was refused, because the name is not local."""
    LOG_IN = "log-in"
    """Somebody read a mailbox by IMAP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldMail:
    """The same thing on each of some days, up to now."""

    name: DomainName
    kind: MailKind
    mailbox: str = "info"
    address: str = "198.51.100.77"
    """The outside host's, or that of who logs in."""
    host: str = "unknown"
    """The outside host's name, as far as Postfix could check it."""
    number: int = 1
    """How many a day."""
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldMailLog:
    """One server's mail log."""

    days: int = 9
    """How far it reaches back."""
    mail: tuple[WorldMail, ...] = ()
    lines: str = ""
    """Lines of one's own, before all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldResolver:
    """A resolver of the world's DNS."""

    dns: str = ""
    """Master-file text whose RRsets replace those of the same name and type."""
    faults: Mapping[DomainName, str] = field(default_factory=dict)
    """SERVFAIL, REFUSED, timeout, truncated or authoritative, by exact name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldServer:
    """One Plesk server."""

    name: str
    addresses: tuple[ServerAddress, ...]
    version: str = DEFAULT_VERSION
    platform: Platform = Platform.LINUX
    panel: str = "xml-api"
    """``xml-api`` or ``local``."""
    host_name: DomainName = DEFAULT_HOST_NAME
    domains: tuple[WorldDomain, ...] = ()
    faults: tuple[Misbehaviour, ...] = ()
    """How its panel misbehaves, for as long as the world runs."""
    mail_log: WorldMailLog | None = None
    """None for a server whose log is not read."""
    resolver: WorldResolver | None = None
    """What the server itself asks; None where mailswitch does not know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldVantage(WorldResolver):
    """One public view of the world's DNS."""

    name: str
    operator: str


DEFAULT_VANTAGES = tuple(WorldVantage(name=name, operator=name) for name in "abc")
"""Three that tell the truth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything `Stage` needs to put a world on loopback."""

    servers: tuple[WorldServer, ...]
    dns: str = ""
    vantages: tuple[WorldVantage, ...] = DEFAULT_VANTAGES
    config: Mapping[str, object] = field(default_factory=dict)
    """Merged into the written configuration."""
