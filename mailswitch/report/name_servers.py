"""Whose name servers serve a name's zone: whether they point to this server, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from mailswitch.core.mx import Indeterminate

__all__ = ["NameServer", "NameServers", "Place", "name_server_fields", "name_server_words"]


class Place(StrEnum):
    """Where a name server is."""

    HERE = "here"
    """One of its addresses is this server's."""
    ELSEWHERE = "elsewhere"
    NOWHERE = "nowhere"
    """It has no address."""
    UNKNOWN = "unknown"
    """Its addresses could not be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameServer:
    """One name server of the zone."""

    host: str
    addresses: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class NameServers:
    """The name servers of the zone that a name is in."""

    zone: str
    is_above: bool
    """Whether the zone is not the name's own."""
    servers: tuple[NameServer, ...]
    left_out: int = 0
    """Further ones, of which nothing but their number is told."""


def name_server_fields(found: NameServers | Indeterminate) -> dict[str, object]:
    """Return a zone's name servers with the keys they have in JSON."""
    match found:
        case Indeterminate(reason=reason):
            return {"reason": reason, "zone": None, "servers": [], "left_out": 0}
        case NameServers():
            servers = [
                {"host": one.host, "addresses": list(one.addresses), "place": one.place.value} for one in found.servers
            ]
            return {"reason": None, "zone": found.zone, "servers": servers, "left_out": found.left_out}
        case _ as never:
            assert_never(never)


def name_server_words(found: NameServers | Indeterminate) -> str:
    """Return a zone's name servers for people, in one line."""
    match found:
        case Indeterminate(reason=reason):
            return f"not known: {reason}"
        case NameServers():
            listed = ", ".join(f"{one.host} ({_WORDS[one.place]})" for one in found.servers)
            more = f" and {found.left_out} more" if found.left_out else ""
            zone = f" (of the zone {found.zone})" if found.is_above else ""
            return f"{_none_here(found)}{listed}{more}{zone}"
        case _ as never:
            assert_never(never)


_WORDS = {
    Place.HERE: "this server",
    Place.ELSEWHERE: "elsewhere",
    Place.NOWHERE: "no address",
    Place.UNKNOWN: "address not known",
}


def _none_here(found: NameServers) -> str:
    """Return what goes before the list where nobody in it is here; "none" only where that is sure of all of them."""
    places = {one.place for one in found.servers}
    if Place.HERE in places:
        return ""
    return "none known to point here: " if found.left_out or Place.UNKNOWN in places else "none point here: "
