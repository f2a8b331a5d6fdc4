"""World files: a world as YAML (design.md section 9), with every problem in it told at once.

Beside the keys of the design a world may have:

- ``servers[].hostname``: the panel's full host name; default ``NAME.hoster.example``.
- ``servers[].faults``: how its panel misbehaves all the time: a list of names (`mailswitch.simulation.misbehaviour`),
  or ``{fault: error, code: 1023, on: mail/set_prefs}`` with the other fields of a `Misbehaviour`.
- ``servers[].mail_log``: what its mail log tells (`mailswitch.simulation.world_mail`).
- ``servers[].resolver``: what the server itself asks: the truth, but for its ``dns`` and ``faults``, as a vantage has.
- ``domains[].display``: what the panel shows as the name, where that is not the name with U-labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from mailswitch.config import fields
from mailswitch.config.document import check, read_text, scan
from mailswitch.config.names import display_name
from mailswitch.core.domain import Kind, Platform, ServerAddress, Switch
from mailswitch.core.mx import Address, address
from mailswitch.core.names import DomainName
from mailswitch.simulation.misbehaviour import Fault, Misbehaviour
from mailswitch.simulation.public_dns import Fault as DnsFault
from mailswitch.simulation.world import (
    DEFAULT_CREATED,
    DEFAULT_VANTAGES,
    DEFAULT_VERSION,
    World,
    WorldDomain,
    WorldResolver,
    WorldServer,
    WorldVantage,
)
from mailswitch.simulation.world_mail import MailLogSection
from mailswitch.simulation.world_names import HostedName
from mailswitch.simulation.world_rules import broken_rules

__all__ = [
    "DomainSection",
    "ServerSection",
    "VantageSection",
    "WorldSection",
    "parse_world",
    "read_world",
]

_RELATIVE = re.compile(r"-([0-9]{1,4})d\Z")
_VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){1,3}\Z")
_OPERATION = re.compile(r"(any|read|write|db|version|[a-z-]+/[a-z_-]+|[a-z]+ --[a-z]+)\Z")
_SWITCHES = {
    "on": Switch.ON, "true": Switch.ON, "yes": Switch.ON,
    "off": Switch.OFF, "false": Switch.OFF, "no": Switch.OFF,
    "not-configured": Switch.NOT_CONFIGURED,
}  # fmt: skip


def read_world(path: Path, *, now: datetime | None = None) -> World:
    """Read a world file; relative dates count from ``now``, by default the clock's.

    Raises:
        ConfigError: the file cannot be read, or as `parse_world`.
    """
    return parse_world(read_text(path), origin=str(path), now=now)


def parse_world(text: str, *, origin: str = "world", now: datetime | None = None) -> World:
    """Return the world that ``text`` describes; relative dates count from ``now``, by default the clock's.

    Raises:
        ConfigError: with every problem, each with file, line and place, in the order of the file.
    """
    document, problems = scan(text, origin=origin)
    today = (datetime.now(UTC) if now is None else now).date()
    section, found = check(WorldSection, document, context=today)
    every = (*problems, *found, *broken_rules(document, text))
    if every or section is None:
        raise document.error(every)
    return section.world(_written_config(document.value))


def _written_config(value: Any) -> Mapping[str, object]:
    config = value.get("config") if isinstance(value, dict) else None
    return config if isinstance(config, dict) else {}


def _switch(value: object) -> Switch:
    found = _SWITCHES.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is not one of on, off, not-configured")
    return found


def _created(value: object, info: ValidationInfo) -> date:
    today = info.context if isinstance(info.context, date) else datetime.now(UTC).date()
    if isinstance(value, str):
        relative = _RELATIVE.match(value.strip())
        try:
            if relative is not None:
                return today - timedelta(days=int(relative.group(1)))
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise ValueError("is no date: write 2021-04-01, or -20d for twenty days before now")


def _address(value: object) -> Address:
    try:
        return address(str(value))
    except ValueError as error:
        raise ValueError("is no IP address") from error


def _plain_address(value: object) -> object:
    return {"private": value} if isinstance(value, str) else value


def _named_fault(value: object) -> object:
    return {"fault": value} if isinstance(value, str) else value


def _version(text: str) -> str:
    if _VERSION.match(text) is None:
        raise ValueError("is no version: write it like 18.0.61")
    return text


def _operation(text: str) -> str:
    if _OPERATION.match(text) is None:
        raise ValueError("is not any, read, write or an operation such as mail/set_prefs")
    return text


class AddressSection(fields.Section):
    """An address of a server, with the public one that NAT maps to it."""

    private: Annotated[Any, BeforeValidator(_address)]
    public: Annotated[Any, BeforeValidator(_address)] = None


class FaultSection(fields.Section):
    """One way in which a panel misbehaves."""

    fault: Fault
    on: Annotated[str, AfterValidator(_operation)] = "any"
    code: int = Field(default=1023, ge=1, le=99999)
    seconds: float = Field(default=1.0, ge=0, le=3600, allow_inf_nan=False)
    location: str = "https://elsewhere.invalid/enterprise/control/agent.php"

    @property
    def misbehaviour(self) -> Misbehaviour:
        """The value."""
        return Misbehaviour(fault=self.fault, on=self.on, code=self.code, seconds=self.seconds, location=self.location)


class DomainSection(fields.Section):
    """One hosted name."""

    name: HostedName
    kind: Kind = Kind.DOMAIN
    of: HostedName | None = None
    mail: Annotated[Switch, BeforeValidator(_switch)] = Switch.ON
    status: int = Field(default=0, ge=0, le=1023)
    created: Annotated[date, BeforeValidator(_created)] = DEFAULT_CREATED
    display: str | None = None

    @property
    def domain(self) -> WorldDomain:
        """The value."""
        return WorldDomain(
            name=self.name,
            kind=self.kind,
            switch=self.mail,
            of=self.of,
            status=self.status,
            created=self.created,
            display=self.display if self.display is not None else display_name(self.name),
        )


class ResolverSection(fields.Section):
    """One resolver."""

    dns: str = ""
    faults: dict[HostedName, DnsFault] = Field(default_factory=dict)

    @property
    def view(self) -> dict[str, Any]:
        """What it sees otherwise than the world."""
        return {"dns": self.dns, "faults": {name: fault.value for name, fault in self.faults.items()}}


class ServerSection(fields.Section):
    """One Plesk server."""

    name: fields.ShortWord
    version: Annotated[str, AfterValidator(_version)] = DEFAULT_VERSION
    platform: Literal["linux", "windows"] = "linux"
    addresses: tuple[Annotated[AddressSection, BeforeValidator(_plain_address)], ...] = Field(min_length=1)
    panel: Literal["xml-api", "local"] = "xml-api"
    hostname: fields.Name | None = None
    domains: tuple[DomainSection, ...] = ()
    faults: tuple[Annotated[FaultSection, BeforeValidator(_named_fault)], ...] = ()
    mail_log: MailLogSection | None = None
    resolver: ResolverSection | None = None

    @property
    def server(self) -> WorldServer:
        """The value."""
        label = re.sub(r"[^a-z0-9-]+", "-", self.name.lower()).strip("-")
        return WorldServer(
            name=self.name,
            version=self.version,
            platform=Platform(self.platform),
            addresses=tuple(ServerAddress(address=a.private, public=a.public) for a in self.addresses),
            panel=self.panel,
            host_name=self.hostname or DomainName(f"{label or 'plesk'}.hoster.example"),
            domains=tuple(domain.domain for domain in self.domains),
            faults=tuple(fault.misbehaviour for fault in self.faults),
            mail_log=None if self.mail_log is None else self.mail_log.mail_log,
            resolver=None if self.resolver is None else WorldResolver(**self.resolver.view),
        )


class VantageSection(ResolverSection):
    """One public view."""

    name: fields.ShortWord
    operator: fields.Words | None = None

    @property
    def vantage(self) -> WorldVantage:
        """The value."""
        return WorldVantage(
            name=self.name,
            operator=self.operator or self.name,
            **self.view,
        )


class WorldSection(fields.Section):
    """The whole file."""

    servers: tuple[ServerSection, ...] = Field(min_length=1)
    dns: str = ""
    vantages: tuple[VantageSection, ...] = ()
    config: dict[str, Any] = Field(default_factory=dict)

    def world(self, config: Mapping[str, object]) -> World:
        """Return the value, with the part for the configuration as it was written."""
        return World(
            servers=tuple(server.server for server in self.servers),
            dns=self.dns,
            vantages=tuple(vantage.vantage for vantage in self.vantages) or DEFAULT_VANTAGES,
            config=config,
        )
