"""The tables of a simulated panel: those of psa that plesk.md section 3.4 documents, and the simulation's own.

Names that begin with ``sim_`` are the simulation's; the ``plesk db`` of the simulation does not show them.
"""

from __future__ import annotations

import sqlite3

from mailswitch.core.domain import Switch

__all__ = ["HIDDEN_PREFIX", "OFF_BIT", "SCHEMA", "turn", "write_mail_service"]

HIDDEN_PREFIX = "sim_"

OFF_BIT = 64
"""What ``DomainServices.status`` gets when mail is turned off (plesk.md section 2.4)."""

SCHEMA = """
CREATE TABLE domains (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, displayName TEXT NOT NULL, guid TEXT NOT NULL,
    status INTEGER NOT NULL, htype TEXT NOT NULL, cl_id INTEGER NOT NULL, webspace_id INTEGER NOT NULL,
    parentDomainId INTEGER NOT NULL, dns_zone_id INTEGER, webspace_status INTEGER NOT NULL, real_size INTEGER NOT NULL,
    cr_date TEXT NOT NULL, cert_rep_id INTEGER NOT NULL, external_id TEXT
);
CREATE TABLE DomainServices (
    id INTEGER PRIMARY KEY, dom_id INTEGER NOT NULL, type TEXT NOT NULL, status INTEGER NOT NULL,
    parameters_id INTEGER NOT NULL, ipCollectionId INTEGER NOT NULL, sim_is_on INTEGER, UNIQUE (dom_id, type)
);
CREATE TABLE domain_aliases (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, displayName TEXT NOT NULL, dom_id INTEGER NOT NULL,
    status INTEGER NOT NULL, mail TEXT NOT NULL, web TEXT NOT NULL, dns TEXT NOT NULL, dns_zone_id INTEGER,
    seoRedirect TEXT NOT NULL, external_id TEXT
);
CREATE TABLE IP_Addresses (
    id INTEGER PRIMARY KEY, ip_address TEXT NOT NULL, public_ip_address TEXT, mask TEXT NOT NULL, iface TEXT NOT NULL,
    type TEXT NOT NULL, main TEXT NOT NULL
);
CREATE TABLE IpAddressesCollections (ipCollectionId INTEGER NOT NULL, ipAddressId INTEGER NOT NULL);
CREATE TABLE mail (
    id INTEGER PRIMARY KEY, mail_name TEXT NOT NULL, dom_id INTEGER NOT NULL, postbox TEXT NOT NULL,
    mail_group TEXT NOT NULL, redirect TEXT NOT NULL, redir_addr TEXT NOT NULL, autoresponder TEXT NOT NULL,
    mbox_quota INTEGER NOT NULL, account_id INTEGER NOT NULL
);
CREATE TABLE misc (param TEXT PRIMARY KEY, val TEXT);
CREATE TABLE sim_settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sim_requests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, operations TEXT NOT NULL, is_write INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE TABLE sim_writes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, switch TEXT NOT NULL, interface TEXT NOT NULL,
    is_applied INTEGER NOT NULL
);
CREATE TABLE sim_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL, address TEXT NOT NULL, description TEXT NOT NULL
);
CREATE TABLE sim_handlers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, priority INTEGER NOT NULL, user TEXT NOT NULL,
    command TEXT NOT NULL
);
CREATE TABLE sim_violations (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL);
CREATE TABLE sim_misbehaviours (id INTEGER PRIMARY KEY AUTOINCREMENT, times INTEGER, value TEXT NOT NULL);
"""


def turn(connection: sqlite3.Connection, name: str, to: Switch) -> None:
    """Turn the switch of the hosted name ``name`` (A-labels) within the connection's transaction.

    Raises:
        KeyError: ``name`` is not hosted.
        ValueError: ``to`` is unknown, or an alias is to be not configured.
    """
    row = connection.execute("SELECT id, status FROM domains WHERE name = ?", (name,)).fetchone()
    if row is None:
        _turn_alias(connection, name, to)
        return
    if to is Switch.UNKNOWN:
        raise ValueError("a switch can be on, off or not configured")
    connection.execute("DELETE FROM DomainServices WHERE dom_id = ? AND type = 'mail'", (row["id"],))
    if to is not Switch.NOT_CONFIGURED:
        write_mail_service(connection, row["id"], status=row["status"], switch=to)


def write_mail_service(connection: sqlite3.Connection, domain_id: int, *, status: int, switch: Switch) -> None:
    """Write the row of a domain's mail service.

    The domain's own ``status`` shows in it too: a suspension looks like mail turned off (plesk.md section 2.4).
    """
    is_on = switch is Switch.ON
    connection.execute(
        "INSERT INTO DomainServices (dom_id, type, status, parameters_id, ipCollectionId, sim_is_on)"
        " VALUES (?, 'mail', ?, 0, 1, ?)",
        (domain_id, status | (0 if is_on else OFF_BIT), int(is_on)),
    )


def _turn_alias(connection: sqlite3.Connection, name: str, to: Switch) -> None:
    if to not in {Switch.ON, Switch.OFF}:
        raise ValueError("the switch of an alias can be on or off")
    mail = "true" if to is Switch.ON else "false"
    if connection.execute("UPDATE domain_aliases SET mail = ? WHERE name = ?", (mail, name)).rowcount == 0:
        raise KeyError(name)
