"""Replies of a panel's XML API: read, or refused as a failure of the panel, entities and deep nesting included.

The first octet chooses whether the rest is a whole packet or what stands inside one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

from mailswitch.plesk import replies
from mailswitch.plesk.failures import PanelFailure

__all__ = ["MAX_OCTETS", "TOKENS", "seeds", "try_one"]

MAX_OCTETS = 4_000
_WORDS = (
    "packet", "/packet", "system", "result", "/result", "status", "ok/", "errcode", "errtext", "id", "site-id",
    "filter-id", "data", "gen_info", "name", "ascii-name", "mail", "get_prefs", "set_prefs", "prefs", "mailservice",
    "site", "webspace", "site-alias", "get", "set", "info", "pref", "ip", "addresses", "ip_info", "ip_address",
    "public_ip_address", "server", "stat", "version", "plesk_version", "!DOCTYPE a [<!ENTITY b 'c'>]", "![CDATA[",
    "?xml version='1.0' encoding='utf-16'?",
)  # fmt: skip
TOKENS = (
    *(f"<{word}>".encode() for word in _WORDS),
    b"]]>", b"&amp;", b"&#x10FFFF;", b"&b;", b"true", b"false", b"ok", b"error", b"1013",
)  # fmt: skip
_WHOLE = 0x80
_ASKED = (1, 2, 7)

_READERS: tuple[Callable[[Element], object], ...] = (
    replies.server_record,
    replies.addresses,
    replies.sites,
    replies.aliases,
    lambda reply: replies.alias_name_and_switch(reply, 7),
    lambda reply: replies.switches(reply, _ASKED),
    lambda reply: replies.check_done(reply, "mail/set_prefs", "site-id", 7),
    lambda reply: replies.check_done(reply, "site-alias/set", "id", 7),
)


def try_one(data: bytes) -> None:
    """Read one reply as the answer to every question there is."""
    if not data:
        return
    body = data[1:] if data[0] & _WHOLE else b'<packet version="1.6.9.1">' + data[1:] + b"</packet>"
    try:
        reply = replies.packet(body)
    except PanelFailure as failure:
        _check(failure)
        return
    for read in _READERS:
        try:
            read(reply)
        except PanelFailure as failure:
            _check(failure)


def _check(failure: PanelFailure) -> None:
    text = str(failure)
    if not text.isprintable() or len(text) > 2_000:
        raise AssertionError(f"a failure's text is not fit to be shown: {text!r}")


def seeds() -> Iterator[bytes]:
    """Return replies in the shapes that plesk.md documents, and what only a hostile panel sends."""
    inner = (
        "<server><get><result><status>ok</status><gen_info><server_name>web01.hoster.example</server_name></gen_info>"
        "<stat><version><plesk_version>18.0.61</plesk_version><plesk_os>Debian 12</plesk_os></version></stat></result>"
        "</get></server>",
        "<ip><get><result><status>ok</status><addresses><ip_info><ip_address>10.0.0.5</ip_address>"
        "<public_ip_address>203.0.113.10</public_ip_address></ip_info></addresses></result></get></ip>",
        "<webspace><get><result><status>ok</status><id>1</id><data><gen_info><cr_date>2024-05-01</cr_date>"
        "<name>a.example</name><ascii-name>a.example</ascii-name><status>0</status></gen_info></data></result></get>"
        "</webspace><site><get><result><status>ok</status></result></get></site>",
        "<site-alias><get><result><status>ok</status><id>7</id><info><status>0</status><pref><mail>1</mail></pref>"
        "<site-id>1</site-id><name>b.example</name><ascii-name>b.example</ascii-name></info></result></get></site-alias>",
        "<mail><get_prefs><result><status>ok</status><site-id>7</site-id><prefs><mailservice>true</mailservice></prefs>"
        "</result><result><status>error</status><errcode>1013</errcode><errtext>none</errtext></result></get_prefs></mail>",
        "<mail><set_prefs><result><status>ok</status><site-id>7</site-id></result></set_prefs></mail>",
        "<site-alias><set><result><status>error</status><id>7</id><errcode>1015</errcode></result></set></site-alias>",
        "<system><status>error</status><errcode>11003</errcode><errtext>key</errtext></system>",
        "<a>" * 400,
    )
    yield from (b"\x00" + one.encode() for one in inner)
    whole = (
        "<html><body>Bad gateway</body></html>",
        "<!DOCTYPE packet [<!ENTITY a '0123456789'><!ENTITY b '&a;&a;&a;&a;'>]><packet>&b;</packet>",
        "<!DOCTYPE packet SYSTEM 'file:///etc/passwd'><packet/>",
        "<?xml version='1.0' encoding='UTF-7'?><packet/>",
    )
    yield from (b"\x80" + one.encode() for one in whole)
