"""Fills the tables of a new simulated panel with what a world says the server hosts."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass

from mailswitch.core.domain import Kind, Platform, Switch
from mailswitch.core.names import DomainName
from mailswitch.simulation.tables import SCHEMA, write_mail_service
from mailswitch.simulation.world import WorldDomain, WorldServer

__all__ = ["populate"]

_PARENT_SUSPENDED = 2
_FIRST_ID = 3
"""Ids do not begin at 1, so that a position in a list is never mistaken for one."""


@dataclass(slots=True)
class _Ids:
    """Ids of domains by name: `webspace` is that of the subscription."""

    domain: dict[DomainName, int]
    webspace: dict[DomainName, int]


def populate(connection: sqlite3.Connection, server: WorldServer) -> None:
    """Make and fill the tables within the connection's transaction.

    Raises:
        ValueError: a name belongs to one that is not hosted (`world_file` says so better).
    """
    for statement in SCHEMA.split(";"):
        connection.execute(statement)
    _add_addresses(connection, server)
    connection.execute("INSERT INTO misc VALUES ('FullHostName', ?)", (server.host_name.text,))
    ids = _Ids({}, {})
    for domain in _parents_first(server.domains):
        if domain.kind is Kind.ALIAS:
            _add_alias(connection, domain, ids)
        else:
            _add_domain(connection, domain, ids)


def _parents_first(domains: tuple[WorldDomain, ...]) -> list[WorldDomain]:
    rank = {Kind.DOMAIN: 0, Kind.ADDON: 1, Kind.SUBDOMAIN: 2, Kind.ALIAS: 3}
    # A subdomain may stand below another one: the shorter name is the parent.
    return sorted(domains, key=lambda domain: (rank[domain.kind], len(domain.name.labels)))


def _add_addresses(connection: sqlite3.Connection, server: WorldServer) -> None:
    interface = "Ethernet" if server.platform is Platform.WINDOWS else "eth0"
    for number, found in enumerate(server.addresses, start=1):
        mask = "255.255.255.0" if found.address.version == 4 else "64"
        public = None if found.public is None else str(found.public)
        connection.execute(
            "INSERT INTO IP_Addresses VALUES (?, ?, ?, ?, ?, 'shared', ?)",
            (number, str(found.address), public, mask, interface, "true" if number == 1 else "false"),
        )
        connection.execute("INSERT INTO IpAddressesCollections VALUES (1, ?)", (number,))


def _add_domain(connection: sqlite3.Connection, domain: WorldDomain, ids: _Ids) -> None:
    number = _FIRST_ID + len(ids.domain)
    parent = _parent(domain, ids)
    webspace = number if parent is None else ids.webspace[parent]
    ids.domain[domain.name], ids.webspace[domain.name] = number, webspace
    is_plain = domain.name.is_host_name
    connection.execute(
        "INSERT INTO domains VALUES (?, ?, ?, ?, ?, 'vrt_hst', 1, ?, ?, ?, ?, 40960, ?, 0, NULL)",
        (
            number,
            domain.name.text,
            _shown_name(domain),
            str(uuid.uuid5(uuid.NAMESPACE_DNS, domain.name.text)),
            domain.status,
            0 if domain.kind is Kind.DOMAIN else webspace,
            ids.domain[parent] if domain.kind is Kind.SUBDOMAIN and parent is not None else 0,
            number if is_plain else None,
            domain.status & ~_PARENT_SUSPENDED,
            domain.created.isoformat(),
        ),
    )
    if domain.switch is not Switch.NOT_CONFIGURED:
        write_mail_service(connection, number, status=domain.status, switch=domain.switch)
        connection.execute(
            "INSERT INTO mail (mail_name, dom_id, postbox, mail_group, redirect, redir_addr, autoresponder,"
            " mbox_quota, account_id) VALUES ('info', ?, 'true', 'false', 'false', '', 'false', -1, 0)",
            (number,),
        )
    connection.execute(
        "INSERT INTO DomainServices (dom_id, type, status, parameters_id, ipCollectionId) VALUES (?, 'web', ?, 0, 1)",
        (number, domain.status),
    )


def _add_alias(connection: sqlite3.Connection, domain: WorldDomain, ids: _Ids) -> None:
    parent = _parent(domain, ids)
    connection.execute(
        "INSERT INTO domain_aliases (name, displayName, dom_id, status, mail, web, dns, dns_zone_id, seoRedirect)"
        " VALUES (?, ?, ?, ?, ?, 'true', 'true', 0, 'true')",
        (
            domain.name.text,
            _shown_name(domain),
            0 if parent is None else ids.domain[parent],
            domain.status,
            "true" if domain.switch is Switch.ON else "false",
        ),
    )


def _shown_name(domain: WorldDomain) -> str:
    """Return what the panel shows: the given text, or the name with U-labels."""
    return domain.name.text if domain.display is None else domain.display


def _parent(domain: WorldDomain, ids: _Ids) -> DomainName | None:
    if domain.kind is Kind.DOMAIN:
        return None
    if domain.of is None or domain.of not in ids.domain:
        raise ValueError(f"{domain.name} belongs to {domain.of}, which this server does not host")
    return domain.of
