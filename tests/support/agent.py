"""A bare client of a simulated panel's XML API, and builders of the worlds these panels host."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import defusedxml.ElementTree

from mailswitch.core.domain import Kind, ServerAddress, Switch
from mailswitch.core.mx import address
from mailswitch.core.names import DomainName
from mailswitch.simulation.certificates import self_signed
from mailswitch.simulation.plesk_xml import AGENT_PATH, XmlApiServer
from mailswitch.simulation.schemas import SchemaSet
from mailswitch.simulation.state import DEFAULT_KEY, PanelState
from mailswitch.simulation.world import WorldDomain, WorldServer

__all__ = ["WITH_KEY", "Answer", "a_hosted", "a_server", "ask", "packet", "post", "serving"]

WITH_KEY: Mapping[str, str] = {"KEY": DEFAULT_KEY}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> Element:
        return defusedxml.ElementTree.fromstring(self.body)


def a_hosted(
    name: str, kind: Kind = Kind.DOMAIN, *, of: str | None = None, switch: Switch = Switch.ON, status: int = 0
) -> WorldDomain:
    """A hosted name with defaults; `of` names its parent."""
    parent = None if of is None else DomainName(of)
    return WorldDomain(name=DomainName(name), kind=kind, of=parent, switch=switch, status=status)


def a_server(*domains: WorldDomain, version: str = "18.0.61") -> WorldServer:
    """A server behind NAT with an IPv6 address beside it."""
    addresses = (
        ServerAddress(address=address("10.0.0.5"), public=address("203.0.113.10")),
        ServerAddress(address=address("2001:db8::10")),
    )
    return WorldServer(name="web01", addresses=addresses, domains=domains, version=version)


def serving(folder: Path, server: WorldServer, *, schemas: SchemaSet | None = None) -> XmlApiServer:
    """A panel of `server` that listens until it is closed."""
    state = PanelState.create(folder / "panel.db", server)
    return XmlApiServer(state, self_signed("127.0.0.1").write(folder / "panel.pem"), schemas=schemas)


def packet(inner: str, version: str = "") -> bytes:
    """A packet around `inner`."""
    attribute = f' version="{version}"' if version else ""
    return f'<?xml version="1.0" encoding="UTF-8"?><packet{attribute}>{inner}</packet>'.encode()


def post(server: XmlApiServer, body: bytes, *, headers: Mapping[str, str] = WITH_KEY, path: str = AGENT_PATH) -> Answer:
    """Post bytes and return what came back; errors of http.client are the caller's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # without the system's authorities, which take time to load
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=context)
    try:
        connection.request("POST", path, body, {"Content-Type": "text/xml", **headers})
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())
    finally:
        connection.close()


def ask(server: XmlApiServer, inner: str) -> Element:
    """Ask with the right key and return the reply packet."""
    return post(server, packet(inner)).xml
