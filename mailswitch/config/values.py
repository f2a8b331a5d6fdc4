"""Durations, shares, URLs and resolver addresses as they are written in a configuration.

Each reader takes a text and raises ValueError with words that follow the quoted text: ``'15' is no duration: …``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_network
from urllib.parse import SplitResult, urlsplit

from mailswitch.config.names import parse_name
from mailswitch.core.domain import Network
from mailswitch.core.errors import InvalidName
from mailswitch.core.mx import Address, address

__all__ = [
    "Authoritative",
    "Codec",
    "Endpoint",
    "Transport",
    "address_or_network",
    "duration",
    "duration_text",
    "endpoint",
    "fingerprint",
    "ledger_url",
    "panel_url",
    "share",
    "version",
]

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9})s)?\Z")
_LONGEST = timedelta(days=3660)
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})\s?(%?)\Z")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")
_VERSION = re.compile(r"[0-9]{1,5}(?:\.[0-9]{1,5}){1,3}\Z")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::([0-9]+))?\Z")


class Authoritative(StrEnum):
    """What the word of the domains' own name servers is needed for."""

    REQUIRE = "require"
    PREFER = "prefer"
    OFF = "off"


class Codec(StrEnum):
    """Who reads the answers of vantages."""

    FAST = "fast"
    DNSPYTHON = "dnspython"


class Transport(StrEnum):
    """How a vantage is asked first."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"

    @property
    def port(self) -> int:
        """The port that goes without saying (RFC 1035 §4.2, RFC 7858 §3.1)."""
        return 853 if self is Transport.TLS else 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a resolver listens."""

    transport: Transport
    address: Address
    port: int

    def __str__(self) -> str:
        """Return the endpoint as it is written in configurations; udp and the usual port go without saying."""
        scheme = "" if self.transport is Transport.UDP else f"{self.transport}://"
        if self.port == self.transport.port:
            return f"{scheme}{self.address}"
        host = f"[{self.address}]" if self.address.version == 6 else f"{self.address}"
        return f"{scheme}{host}:{self.port}"


def duration(text: str) -> timedelta:
    """Return a duration such as ``15m``, ``24h``, ``14d``, ``0s`` or ``1h30m``."""
    written = text.strip().lower()
    found = _DURATION.match(written)
    if found is None or not written:
        if re.fullmatch(r"[0-9.]+", written):
            raise ValueError(f"has no unit: write {written}s for seconds, {written}m for minutes, {written}h for hours")
        raise ValueError("is no duration: write 90s, 15m, 24h, 14d or 1h30m")
    amounts = [int(amount or 0) for amount in found.groups()]
    seconds = sum(amount * unit for amount, unit in zip(amounts, _UNITS.values(), strict=True))
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"is longer than {_LONGEST.days}d")
    return timedelta(seconds=seconds)


def duration_text(value: timedelta) -> str:
    """Return a duration as it is written in configurations, with the largest units that fit: ``1d12h``, ``0s``.

    Raises:
        ValueError: it is negative or has a fraction of a second.
    """
    seconds = value // timedelta(seconds=1)
    if seconds < 0 or value != timedelta(seconds=seconds):
        raise ValueError(f"{value} cannot be written as a duration")
    text = ""
    for unit, size in _UNITS.items():
        amount, seconds = divmod(seconds, size)
        text += f"{amount}{unit}" if amount else ""
    return text or "0s"


def share(text: str) -> float:
    """Return a share between 0 and 1, written ``0.1`` or ``10%``."""
    found = _SHARE.match(text.strip())
    if found is None:
        raise ValueError("is no share: write 0.1 or 10%")
    number = float(found[1]) / (100 if found[2] else 1)
    if number > 1:
        raise ValueError("is more than the whole: a share lies between 0 and 1 (write 10% for ten percent)")
    return number


def fingerprint(text: str) -> str:
    """Return a certificate's SHA-256 fingerprint as 64 lower-case hexadecimal digits, without colons."""
    plain = text.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if _FINGERPRINT.match(plain) is None:
        raise ValueError("is no SHA-256 fingerprint: 64 hexadecimal digits are expected, with or without colons")
    return plain


def version(text: str) -> tuple[int, ...]:
    """Return a panel version such as ``18.0.51`` as numbers."""
    if _VERSION.match(text.strip()) is None:
        raise ValueError("is no version: write it like 18.0.51")
    return tuple(int(part) for part in text.strip().split("."))


def address_or_network(text: str) -> Address | Network:
    """Return an address such as ``203.0.113.5``, or a network such as ``203.0.113.0/24``."""
    try:
        return ip_network(text) if "/" in text else _address(text)
    except ValueError as error:
        if "host bits" in str(error):
            raise ValueError(f"is no network: write {ip_network(text, strict=False)}") from error
        raise ValueError("is neither an IP address nor a network like 203.0.113.0/24") from error


def endpoint(text: str) -> Endpoint:
    """Return a resolver's place: ``9.9.9.10``, ``[2620:fe::10]:53``, ``tcp://9.9.9.10``, ``tls://9.9.9.10:853``."""
    scheme, separator, rest = text.strip().rpartition("://")
    if separator and scheme.lower() not in list(Transport):
        raise ValueError("has an unknown scheme: write the address alone, tls://, tcp:// or udp://")
    if "#" in rest or "@" in rest:
        raise ValueError("names a host beside the address: write the address alone, and the name as tls.server_name")
    found = _BRACKETED.match(rest)
    if found is not None:
        host, port = found[1], found[2]
    elif rest.count(":") == 1:
        host, port = rest.split(":")
    else:
        host, port = rest, None
    try:
        place = _address(host, is_bracketed=found is not None)
    except ValueError as error:
        raise ValueError("is no IP address: a resolver is named by its address, such as 9.9.9.10") from error
    transport = Transport(scheme.lower()) if separator else Transport.UDP
    return Endpoint(transport=transport, address=place, port=_port(port) if port is not None else transport.port)


def panel_url(text: str) -> str:
    """Return a panel's address as ``https://HOST[:PORT]``."""
    parts = _split(text, "https://HOST:8443")
    if not parts.hostname:
        raise ValueError("is no URL: write https://HOST:8443")
    if parts.scheme != "https":
        raise ValueError("is not https: the key travels in a header, so write https://HOST:8443")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("names a user: write login and password_file as keys of their own")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError("goes on after the host: write https://HOST:8443 alone")
    return f"https://{_host(parts.hostname or '')}" + (f":{parts.port}" if parts.port is not None else "")


def ledger_url(text: str) -> str:
    """Return a ledger's URL: ``sqlite:////absolute/path`` or ``postgresql://…``."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator or scheme not in ("sqlite", "postgresql"):
        raise ValueError("is no ledger: write sqlite:////PATH/ledger.db or postgresql://HOST/DATABASE")
    if scheme == "sqlite" and (not rest.startswith("//") or rest.strip("/") == ""):
        raise ValueError("has no absolute path: write sqlite:////PATH/ledger.db (four slashes)")
    if scheme == "postgresql":
        parts = _split(text, "postgresql://HOST/DATABASE (and %2F for a slash in a password)")
        if not parts.path.strip("/"):
            raise ValueError("names no database: write postgresql://HOST/DATABASE")
    return text.strip()


def _address(text: str, *, is_bracketed: bool = False) -> Address:
    """Return an address without a zone: a zone names an interface of one machine, not a place in the public net."""
    if "%" in text or (is_bracketed and ":" not in text):
        raise ValueError(text)
    return address(text)


def _split(text: str, form: str) -> SplitResult:
    if any(character.isspace() or not character.isprintable() for character in text.strip()):
        raise ValueError("holds a space or a control character")
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is no URL: write {form}") from error
    if port == 0:
        raise ValueError(f"is no URL: write {form}")
    return parts


def _host(text: str) -> str:
    try:
        found = address(text)
        return f"[{found}]" if found.version == 6 else f"{found}"
    except ValueError:
        pass
    try:
        name = parse_name(text)
    except InvalidName as error:
        raise ValueError("has no valid host name") from error
    if not name.is_host_name:
        raise ValueError("has no valid host name")
    return name.text


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 1 <= int(text) <= 65_535:
        raise ValueError("has no valid port: 1 to 65535")
    return int(text)
