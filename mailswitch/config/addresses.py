"""Where notices and metrics go, as it is written in a configuration: mail addresses, webhooks, loopback places.

Each reader takes a text and raises ValueError with words that follow the quoted text, as in `mailswitch.config.values`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from urllib.parse import urlsplit

from mailswitch.config.names import parse_name
from mailswitch.core.errors import InvalidName
from mailswitch.core.mx import Address, address

__all__ = ["LoopbackEndpoint", "host", "is_loopback_host", "loopback", "mailbox", "time_of_day", "webhook_url"]

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
"""A dot-atom (RFC 5321 §4.1.2); quoted local parts are not taken, nobody's postmaster has one."""
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")
_PLACE = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)|(localhost)):([0-9]{1,5})\Z")
_LONGEST_LOCAL_PART = 64
_LONGEST_URL = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackEndpoint:
    """An address of this machine that nobody outside can reach, with a port."""

    address: Address
    port: int

    def __str__(self) -> str:
        """Return the place as it is written in configurations."""
        shown = f"[{self.address}]" if self.address.version == 6 else f"{self.address}"
        return f"{shown}:{self.port}"


def time_of_day(text: str) -> time:
    """Return a time of day such as ``07:00``."""
    found = _TIME.match(text.strip())
    if found is None:
        raise ValueError("is no time of day: write 07:00")
    return time(int(found[1]), int(found[2]))


def loopback(text: str) -> LoopbackEndpoint:
    """Return a loopback address with its port: ``127.0.0.1:9732``, ``[::1]:9732``, ``localhost:9732``."""
    found = _PLACE.match(text.strip())
    if found is None:
        raise ValueError("is no address and port: write 127.0.0.1:9732")
    try:
        place = address(found[1] or found[2] or "127.0.0.1")
    except ValueError as error:
        raise ValueError("is no address and port: write 127.0.0.1:9732") from error
    if not place.is_loopback:
        raise ValueError("can be reached from outside: metrics are given on loopback only, write 127.0.0.1:9732")
    port = int(found[4])
    if not 1 <= port <= 65_535:
        raise ValueError("has no valid port: 1 to 65535")
    return LoopbackEndpoint(address=place, port=port)


def mailbox(text: str) -> str:
    """Return a mail address with its domain in A-labels: ``postmaster@example.net``, or ``root`` for a local user."""
    local, separator, domain = text.strip().rpartition("@")
    if not separator:
        local, domain = domain, ""
    if _ATOM.match(local) is None or len(local) > _LONGEST_LOCAL_PART:
        raise ValueError("is no mail address: write postmaster@example.net alone, without a name")
    if not separator:
        return local
    return f"{local}@{_host_name(domain, 'is no mail address: its domain is none')}"


def host(text: str) -> str:
    """Return a host's name in A-labels, or its IP address."""
    written = text.strip()
    try:
        return str(address(written))
    except ValueError:
        return _host_name(written, "is neither a host name nor an IP address")


def webhook_url(text: str) -> str:
    """Return a webhook's URL; anything but https is for this machine only."""
    written = text.strip()
    if len(written) > _LONGEST_URL or any(not "!" <= one <= "~" for one in written):
        raise ValueError("is no URL: it holds a space, a control character or a letter that has to be escaped")
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError as error:
        raise ValueError("is no URL: write https://HOST/PATH") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ValueError("is no URL: write https://HOST/PATH")
    if "@" in parts.netloc:
        raise ValueError("names a user: what tells you apart is the signature, leave the user out")
    if parts.fragment:
        raise ValueError("has a fragment, which is never sent: leave out what follows the #")
    host(parts.hostname)
    if parts.scheme == "http" and not is_loopback_host(parts.hostname):
        raise ValueError("is not https: notices tell of your customers, so http:// is for this machine only")
    return written


def is_loopback_host(name: str) -> bool:
    """Whether a host is this machine by its very name: ``localhost`` or a loopback address."""
    try:
        return address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _host_name(text: str, otherwise: str) -> str:
    try:
        name = parse_name(text)
    except InvalidName as error:
        raise ValueError(otherwise) from error
    if not name.is_host_name:
        raise ValueError(otherwise)
    return name.text
