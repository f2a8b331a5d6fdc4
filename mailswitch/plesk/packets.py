"""Request packets of Plesk's XML API, built as trees and never from text.

Facts:

- The order of nodes matters; a misplaced one is error 1014 (plesk.md section 1.1).
- Without a ``version`` attribute a server speaks its newest protocol (plesk.md section 1.1), so none is sent.
- Several operators may share a packet (plesk.md section 1.1); answers are told apart by operator, not by position.
- ``site get`` with an empty filter leaves the main domains out: ``webspace get`` has those (plesk.md section 0).
- An empty filter in ``site-alias set`` means every alias of the server (plesk.md section 1.7): an id is always given.
- The choice ``none`` in ``prefs`` would delete mailboxes (plesk.md section 2.1): only ``mailservice`` is ever written.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from mailswitch.core.domain import Switch

__all__ = [
    "alias_request",
    "domains_request",
    "identity_request",
    "prefs_request",
    "turn_alias_request",
    "turn_site_request",
]


def identity_request() -> bytes:
    """Return the question for the server's name, version and addresses (plesk.md section 1.8)."""
    packet = Element("packet")
    server = _nodes(packet, "server", "get")
    SubElement(server, "gen_info")
    SubElement(server, "stat")
    _nodes(packet, "ip", "get")
    return _text(packet)


def domains_request() -> bytes:
    """Return the question for every main domain, site and alias (plesk.md sections 1.3 and 1.7)."""
    packet = Element("packet")
    for operator in ("webspace", "site"):
        get = _nodes(packet, operator, "get")
        SubElement(get, "filter")
        _nodes(get, "dataset", "gen_info")
    _nodes(packet, "site-alias", "get", "filter")
    return _text(packet)


def prefs_request(site_ids: Iterable[int]) -> bytes:
    """Return the question for the mail preferences of the sites with these ids (plesk.md section 1.4).

    Raises:
        ValueError: there is no id; what an empty filter means is not documented.
    """
    packet = Element("packet")
    filter_ = _nodes(packet, "mail", "get_prefs", "filter")
    for site_id in site_ids:
        _id(filter_, "site-id", site_id)
    if not len(filter_):
        raise ValueError("an empty filter is never sent")
    return _text(packet)


def alias_request(alias_id: int) -> bytes:
    """Return the question for one alias (plesk.md section 1.7)."""
    packet = Element("packet")
    _id(_nodes(packet, "site-alias", "get", "filter"), "id", alias_id)
    return _text(packet)


def turn_site_request(site_id: int, to: Switch) -> bytes:
    """Return the command that sets the mail service of one site and nothing else (plesk.md section 1.5)."""
    packet = Element("packet")
    command = _nodes(packet, "mail", "set_prefs")
    _id(SubElement(command, "filter"), "site-id", site_id)
    _nodes(command, "prefs", "mailservice").text = _boolean(to)
    return _text(packet)


def turn_alias_request(alias_id: int, to: Switch) -> bytes:
    """Return the command that sets the mail flag of one alias and nothing else (plesk.md section 1.7)."""
    packet = Element("packet")
    command = _nodes(packet, "site-alias", "set")
    _id(SubElement(command, "filter"), "id", alias_id)
    _nodes(command, "settings", "pref", "mail").text = _boolean(to)
    return _text(packet)


def _boolean(to: Switch) -> str:
    if to not in {Switch.ON, Switch.OFF}:
        raise ValueError(f"a switch is turned on or off, not {to.value!r}")
    return "true" if to is Switch.ON else "false"


def _id(filter_: Element, tag: str, number: int) -> None:
    if number <= 0:
        raise ValueError(f"{number} is no id")
    SubElement(filter_, tag).text = str(number)


def _nodes(parent: Element, *tags: str) -> Element:
    for tag in tags:
        parent = SubElement(parent, tag)
    return parent


def _text(packet: Element) -> bytes:
    text: bytes = tostring(packet, encoding="utf-8", xml_declaration=True)
    return text
