"""The operations that only read, as the simulated panel answers them (plesk.md sections 1.3 to 1.8)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from mailswitch.core.domain import Platform
from mailswitch.simulation.packets import PROTOCOLS, Code, Operation, add, add_error

__all__ = ["ALIAS_FILTER", "READERS", "Answering", "alias_rows", "filtered", "ids_of"]


@dataclass(frozen=True, slots=True)
class Answering:
    """What an operation is answered from."""

    connection: sqlite3.Connection
    version: str
    platform: Platform
    turn: int
    """Chooses the language of error texts."""


_SITES = (
    "SELECT d.*, COALESCE(w.id, d.id) AS webspace, COALESCE(w.guid, d.guid) AS webspace_guid,"
    " COALESCE(w.name, d.name) AS webspace_name, p.guid AS parent_guid, p.name AS parent_name FROM domains d"
    " LEFT JOIN domains w ON w.id = d.webspace_id LEFT JOIN domains p ON p.id = d.parentDomainId ORDER BY d.id"
)
_ALIASES = (
    "SELECT a.*, d.name AS site_name, d.displayName AS site_display FROM domain_aliases a"
    " LEFT JOIN domains d ON d.id = a.dom_id ORDER BY a.id"
)

# What a filter node is compared with: the columns of a row, any of which may be equal.
_WEBSPACE_FILTER: Mapping[str, tuple[str, ...]] = {
    "id": ("id",), "name": ("name", "displayName"), "guid": ("guid",), "owner-id": ("cl_id",),
}  # fmt: skip
_SITE_FILTER: Mapping[str, tuple[str, ...]] = {
    "id": ("id",), "name": ("name", "displayName"), "guid": ("guid",),
    "parent-id": ("webspace",), "parent-name": ("webspace_name",), "parent-guid": ("webspace_guid",),
    "parent-site-id": ("parentDomainId",), "parent-site-name": ("parent_name",), "parent-site-guid": ("parent_guid",),
}  # fmt: skip
ALIAS_FILTER: Mapping[str, tuple[str, ...]] = {
    "id": ("id",), "name": ("name", "displayName"), "site-id": ("dom_id",), "site-name": ("site_name", "site_display"),
}  # fmt: skip


def filtered(
    node: Element, rows: Iterable[sqlite3.Row], columns: Mapping[str, tuple[str, ...]]
) -> list[tuple[str | None, list[sqlite3.Row]]]:
    """Return for each filter item its text and the rows it names; without items one pair with every row."""
    found = node.find("filter")
    items = [] if found is None else list(found)
    if not items:
        return [(None, list(rows))]
    every = list(rows)
    return [
        (
            (item.text or "").strip(),
            [row for row in every if any(str(row[c]) == (item.text or "").strip() for c in columns.get(item.tag, ()))],
        )
        for item in items
    ]


def ids_of(node: Element, tag: str) -> list[int]:
    """Return the ids that the filter of an operation lists under ``tag``; what is no number is left out."""
    texts = [(item.text or "").strip() for item in node.findall(f"filter/{tag}")]
    return [int(text) for text in texts if text.isascii() and text.isdigit()]


def _webspace_get(operation: Operation, reply: Element, at: Answering) -> None:
    rows = [row for row in at.connection.execute(_SITES) if row["webspace_id"] == 0]
    _hosted(operation, reply, at, filtered(operation.node, rows, _WEBSPACE_FILTER))


def _site_get(operation: Operation, reply: Element, at: Answering) -> None:
    rows: Iterable[sqlite3.Row] = at.connection.execute(_SITES).fetchall()
    if operation.node.find("filter/*") is None:
        # plesk.md section 0, item 1: without a filter never the main domain of a subscription.
        rows = [row for row in rows if row["webspace_id"] != 0]
    _hosted(operation, reply, at, filtered(operation.node, rows, _SITE_FILTER))


def _hosted(
    operation: Operation, reply: Element, at: Answering, found: list[tuple[str | None, list[sqlite3.Row]]]
) -> None:
    wanted = {item.tag for item in operation.node.findall("dataset/*")}
    addresses = _first_addresses(at)
    for text, rows in found:
        if not rows and text is not None:
            add(add_error(reply, Code.NO_SUCH_OBJECT, at.turn), "filter-id", text)
        for row in rows:
            result = add(reply, "result")
            add(result, "status", "ok")
            add(result, "filter-id", row["id"] if text is None else text)
            add(result, "id", row["id"])
            data = add(result, "data")
            if "gen_info" in wanted:
                _gen_info(add(data, "gen_info"), row, addresses, is_webspace=operation.operator == "webspace")
            if "hosting" in wanted:
                _hosting(add(data, "hosting"), addresses)
            if "subscriptions" in wanted and operation.operator == "webspace":
                _subscription(add(add(data, "subscriptions"), "subscription"))


def _gen_info(node: Element, row: sqlite3.Row, addresses: list[str], *, is_webspace: bool) -> None:
    add(node, "cr_date", row["cr_date"])
    add(node, "name", row["displayName"])
    add(node, "ascii-name", row["name"])
    add(node, "status", row["status"])
    add(node, "real_size", row["real_size"])
    if is_webspace:
        add(node, "owner-id", row["cl_id"])
        add(node, "owner-login", "admin")
    for address in addresses:
        add(node, "dns_ip_address", address)
    add(node, "htype", row["htype"])
    add(node, "guid", row["guid"])
    if is_webspace:
        add(node, "vendor-guid", row["guid"])
        add(node, "external-id")
    else:
        add(node, "webspace-guid", row["webspace_guid"])
        add(node, "sb-site-uuid")
        add(node, "webspace-id", row["webspace"])
    add(node, "description")
    add(node, "turn-off-action", "suspend")


def _first_addresses(at: Answering) -> list[str]:
    found: dict[bool, str] = {}
    for row in at.connection.execute("SELECT ip_address FROM IP_Addresses ORDER BY id"):
        found.setdefault(":" in row["ip_address"], row["ip_address"])
    return list(found.values())


def _hosting(node: Element, addresses: list[str]) -> None:
    physical = add(node, "vrt_hst")
    entry = add(physical, "property")
    add(entry, "name", "ssl")
    add(entry, "value", "true")
    for address in addresses:
        add(physical, "ip_address", address)


def _subscription(node: Element) -> None:
    add(node, "locked", text=False)
    add(node, "synchronized", text=True)
    add(add(node, "plan"), "plan-guid", "0f8fad5b-d9cb-469f-a165-70867728950e")


def alias_rows(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return every alias, as `filtered` takes them with `ALIAS_FILTER`."""
    return connection.execute(_ALIASES).fetchall()


def _alias_get(operation: Operation, reply: Element, at: Answering) -> None:
    for text, rows in filtered(operation.node, alias_rows(at.connection), ALIAS_FILTER):
        if not rows and text is not None:
            add(add_error(reply, Code.NO_SUCH_OBJECT, at.turn), "filter-id", text)
        elif not rows:
            # The schema wants a result even where there is nothing to tell.
            add(add(reply, "result"), "status", "ok")
        for row in rows:
            result = add(reply, "result")
            add(result, "status", "ok")
            add(result, "filter-id", row["id"] if text is None else text)
            add(result, "id", row["id"])
            info = add(result, "info")
            add(info, "status", row["status"])
            preferences = add(info, "pref")
            add(preferences, "web", row["web"])
            add(preferences, "mail", row["mail"])
            add(preferences, "tomcat", text=False)
            add(preferences, "seo-redirect", row["seoRedirect"])
            add(info, "manage-dns", row["dns"])
            add(info, "site-id", row["dom_id"])
            add(info, "name", row["displayName"])
            add(info, "ascii-name", row["name"])


def _alias_services(_operation: Operation, reply: Element, _at: Answering) -> None:
    result = add(reply, "result")
    add(result, "status", "ok")
    for service in ("web", "mail", "tomcat"):
        add(result, "service", service)


def _get_prefs(operation: Operation, reply: Element, at: Answering) -> None:
    services = {
        row["id"]: row["sim_is_on"]
        for row in at.connection.execute(
            "SELECT d.id, s.sim_is_on FROM domains d LEFT JOIN DomainServices s ON s.dom_id = d.id AND s.type = 'mail'"
        )
    }
    # Whether no id at all means every site is not known (plesk.md section 1.4): here it does.
    for number in ids_of(operation.node, "site-id") or sorted(services):
        if number not in services:
            # The official schema has no place for the id in a failed result.
            add_error(reply, Code.NO_SUCH_OBJECT, at.turn)
            continue
        result = add(reply, "result")
        add(result, "status", "ok")
        add(result, "site-id", number)
        preferences = add(result, "prefs")
        if services[number] is None:
            add(preferences, "none")
            continue
        add(add(preferences, "nonexistent-user"), "reject")
        add(preferences, "webmail", "roundcube")
        add(preferences, "spam-protect-sign", text=True)
        add(preferences, "mailservice", bool(services[number]))
        add(preferences, "webmail-certificate", "")
    if len(reply) == 0:
        add(add(reply, "result"), "status", "ok")


def _get_info(operation: Operation, reply: Element, at: Answering) -> None:
    ids = ids_of(operation.node, "site-id")
    known = {row["id"] for row in at.connection.execute("SELECT id FROM domains")}
    if len(ids) != 1 or ids[0] not in known:
        add_error(reply, Code.NO_SUCH_OBJECT, at.turn)
        return
    wanted = {(item.text or "").strip() for item in operation.node.findall("filter/name")}
    rows = at.connection.execute("SELECT * FROM mail WHERE dom_id = ? ORDER BY id", (ids[0],)).fetchall()
    for row in [row for row in rows if not wanted or row["mail_name"] in wanted]:
        result = add(reply, "result")
        add(result, "status", "ok")
        mailname = add(result, "mailname")
        add(mailname, "id", row["id"])
        add(mailname, "name", row["mail_name"])
        mailbox = add(mailname, "mailbox")
        add(mailbox, "enabled", row["postbox"])
        add(mailbox, "quota", row["mbox_quota"])
        if operation.node.find("mailbox-usage") is not None:
            add(mailbox, "usage", 12345)
    if len(reply) == 0:
        add(add(reply, "result"), "status", "ok")


def _ip_get(_operation: Operation, reply: Element, at: Answering) -> None:
    result = add(reply, "result")
    add(result, "status", "ok")
    addresses = add(result, "addresses")
    for row in at.connection.execute("SELECT * FROM IP_Addresses ORDER BY id"):
        entry = add(addresses, "ip_info")
        add(entry, "ip_address", row["ip_address"])
        add(entry, "netmask", row["mask"])
        add(entry, "type", row["type"])
        add(entry, "interface", row["iface"])
        if row["public_ip_address"] is not None:
            add(entry, "public_ip_address", row["public_ip_address"])
        if row["main"] == "true":
            add(entry, "default")


def _get_protos(_operation: Operation, reply: Element, _at: Answering) -> None:
    result = add(reply, "result")
    add(result, "status", "ok")
    protocols = add(result, "protos")
    for version in PROTOCOLS:
        add(protocols, "proto", version)


Reader = Callable[[Operation, Element, Answering], None]

READERS: dict[str, Reader] = {
    "webspace/get": _webspace_get,
    "site/get": _site_get,
    "site-alias/get": _alias_get,
    "site-alias/get-supported-services": _alias_services,
    "mail/get_prefs": _get_prefs,
    "mail/get_info": _get_info,
    "ip/get": _ip_get,
    "server/get_protos": _get_protos,
}
"""Every operation that is answered from the state, by its path; `server_operator` adds ``server/get``."""
