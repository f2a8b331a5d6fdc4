"""``plesk bin secret_key`` and ``plesk bin event_handler`` of a simulated panel (plesk.md sections 3.1 and 6).

Facts:

- A key is printed once, when it is made; what the panel keeps is a digest.
- The listing of handlers has a line for each setting, ``Id`` first and ``Command`` below it.
- An event that is not listed cannot have a handler.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import uuid
from collections.abc import Mapping

from mailswitch.simulation.plesk_words import Printed
from mailswitch.simulation.state import PanelState

__all__ = ["EVENTS", "UTILITIES", "call"]

UTILITIES = frozenset({"event_handler", "secret_key"})

EVENTS = {
    "client_create": "Customer account created",
    "domain_create": "Default domain (the first domain added to a subscription) created",
    "domain_update": "Default domain (the first domain added to a subscription) updated",
    "domain_delete": "Default domain (the first domain added to a subscription) deleted",
    "site_create": "Domain created",
    "site_update": "Domain updated",
    "site_delete": "Domain deleted",
    "subdomain_create": "Subdomain of the default domain created",
    "site_subdomain_create": "Subdomain created",
    "domain_alias_create": "Default domain alias created",
    "domain_alias_update": "Default domain alias updated",
    "site_alias_create": "Domain alias created",
    "site_alias_update": "Domain alias updated",
    "domain_dns_update": "Default domain DNS zone updated",
    "site_dns_update": "DNS zone updated",
    "mailname_create": "Mail account created",
    "phys_hosting_create": "Physical hosting created",
}
"""What ``--list-events`` lists, with the words the panel has for them; the rest of plesk.md section 6 is not there."""

_SHORT = {"-c": "--create", "-l": "--list", "-d": "--delete", "-le": "--list-events"}


def call(state: PanelState, utility: str, arguments: tuple[str, ...], *, is_applied: bool = True) -> Printed:
    """Run one of `UTILITIES`; with ``is_applied`` false, say yes to a write and do nothing."""
    if not arguments:
        return _refused(utility, "no command")
    command, rest = _SHORT.get(arguments[0], arguments[0]), arguments[1:]
    match utility, command:
        case "secret_key", "--create":
            return _create_key(state, rest, is_applied=is_applied)
        case "secret_key", "--list" if not rest:
            return _list_keys(state)
        case "secret_key", "--delete" if len(rest) == 1:
            return _delete_key(state, rest[0], is_applied=is_applied)
        case "event_handler", "--list-events" if not rest:
            return Printed(out="".join(f"{name}\t{words}\n" for name, words in EVENTS.items()))
        case "event_handler", "--list" if not rest:
            return _list_handlers(state)
        case "event_handler", "--create":
            return _create_handler(state, rest, is_applied=is_applied)
        case "event_handler", "--delete" if len(rest) == 1:
            return _delete_handler(state, rest[0], is_applied=is_applied)
        case _:
            return _refused(utility, command)


def _create_key(state: PanelState, rest: tuple[str, ...], *, is_applied: bool) -> Printed:
    given = _options(rest, {"-ip-address", "-description"})
    if given is None:
        return _refused("secret_key", " ".join(rest))
    key = str(uuid.uuid4())
    row = (_digest(key), given.get("-ip-address", ""), given.get("-description", ""))
    if is_applied:
        with state.connection() as connection:
            connection.execute("INSERT INTO sim_keys (digest, address, description) VALUES (?, ?, ?)", row)
    return Printed(out=f"{key}\n")


def _list_keys(state: PanelState) -> Printed:
    with state.reading() as connection:
        rows = connection.execute("SELECT * FROM sim_keys ORDER BY id").fetchall()
    return Printed(out="".join(f"{row['digest'][:8]}\t{row['address']}\t{row['description']}\n" for row in rows))


def _delete_key(state: PanelState, key: str, *, is_applied: bool) -> Printed:
    with state.connection() as connection:
        rows = connection.execute("SELECT id, digest FROM sim_keys").fetchall()
        found = [row["id"] for row in rows if hmac.compare_digest(row["digest"], _digest(key))]
        if is_applied:
            connection.executemany("DELETE FROM sim_keys WHERE id = ?", [(number,) for number in found])
    if not found:
        return Printed(err="Unable to find the secret key\n", code=1)
    return Printed(out="SUCCESS: Removal of the secret key complete\n")


def _create_handler(state: PanelState, rest: tuple[str, ...], *, is_applied: bool) -> Printed:
    wanted = {"-command", "-priority", "-user", "-event"}
    given = _options(rest, wanted)
    if given is None or set(given) != wanted or not given["-priority"].isdigit():
        return _refused("event_handler", " ".join(rest))
    if given["-event"] not in EVENTS:
        return Printed(err=f"There is no event {given['-event']!r}\n", code=1)
    row = (given["-event"], int(given["-priority"]), given["-user"], given["-command"])
    if is_applied:
        with state.connection() as connection:
            connection.execute("INSERT INTO sim_handlers (event, priority, user, command) VALUES (?, ?, ?, ?)", row)
    return Printed(out="SUCCESS: Creation of event handler complete\n")


def _list_handlers(state: PanelState) -> Printed:
    with state.reading() as connection:
        rows = connection.execute("SELECT * FROM sim_handlers ORDER BY id").fetchall()
    return Printed(out="\n".join(map(_handler_text, rows)))


def _handler_text(row: sqlite3.Row) -> str:
    lines = (
        ("Id", row["id"]),
        ("Priority", row["priority"]),
        ("Event", EVENTS[row["event"]]),
        ("User", row["user"]),
        ("Command", row["command"]),
    )
    return "".join(f"{key:<25} {value}\n" for key, value in lines)


def _delete_handler(state: PanelState, number: str, *, is_applied: bool) -> Printed:
    if not number.isdigit():
        return _refused("event_handler", number)
    with state.connection() as connection:
        found = connection.execute("SELECT 1 FROM sim_handlers WHERE id = ?", (int(number),)).fetchone()
        if found is not None and is_applied:
            connection.execute("DELETE FROM sim_handlers WHERE id = ?", (int(number),))
    if found is None:
        return Printed(err=f"Unable to find the event handler {number}\n", code=1)
    return Printed(out="SUCCESS: Removal of event handler complete\n")


def _options(words: tuple[str, ...], known: set[str]) -> Mapping[str, str] | None:
    """Return ``-name value`` pairs, or None where there is something else among them."""
    names, values = words[0::2], words[1::2]
    if len(names) != len(values) or not set(names) <= known or len(set(names)) != len(names):
        return None
    return dict(zip(names, values, strict=True))


def _refused(utility: str, what: str) -> Printed:
    return Printed(err=f"Unrecognized or unexpected options of {utility}: {what}\n", code=1)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
