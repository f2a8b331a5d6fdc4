"""Builds what asks resolvers: part of `mailswitch.service.wiring`, for passes and for ``doctor``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

from mailswitch.config import values
from mailswitch.config.servers import ServerSection, is_this_machine
from mailswitch.config.settings import Settings
from mailswitch.core.names import DomainName
from mailswitch.lookup.own_resolvers import RESOLV_CONF, OwnResolverView, own_resolvers
from mailswitch.lookup.probe import served_by
from mailswitch.lookup.trust import TlsTrust
from mailswitch.lookup.vantages import Codec, Timing, Transport, VantageSettings
from mailswitch.service.own_resolvers import OwnResolver
from mailswitch.service.zone_ports import OwnView

__all__ = ["own_resolver_prober", "own_view_of", "timing_of", "vantages_of"]

_DNS_PORT = 53


def vantages_of(settings: Settings) -> tuple[VantageSettings, ...]:
    """Return the vantages as the lookup adapter takes them."""
    return tuple(
        VantageSettings(
            name=one.name,
            operator=one.vantage.operator,
            address=one.address.address,
            port=one.address.port,
            transport=Transport(one.address.transport.value),
            tls=TlsTrust(
                server_name=None if one.tls.server_name is None else one.tls.server_name.text,
                ca_file=one.tls.ca_file,
                fingerprints=one.tls.fingerprint_sha256,
            ),
        )
        for one in settings.dns.vantages
    )


def timing_of(settings: Settings) -> Timing:
    """Return how patiently vantages are asked."""
    dns = settings.dns
    return Timing(
        timeout=dns.timeout, tries=dns.tries, deadline=dns.deadline, concurrency=dns.concurrency, rate=float(dns.rate)
    )


def own_view_of(settings: Settings, server: ServerSection, now: Callable[[], datetime]) -> OwnView | None:
    """Return what asks a server's own resolvers; None where nobody knows them, or they are not to be asked."""
    resolvers = _resolvers_of(settings, server, RESOLV_CONF, _DNS_PORT)
    codec = Codec(settings.dns.codec.value)
    return None if resolvers is None else OwnResolverView(resolvers, timing_of(settings), now, codec)


def own_resolver_prober(
    settings: Settings, *, resolv_conf: Path = RESOLV_CONF, port: int = _DNS_PORT
) -> Callable[[str, Sequence[DomainName]], tuple[OwnResolver, ...]]:
    """Return what tries, for a server by its name, the resolvers that it asks itself, with a few names hosted there."""
    known = {one.name: _resolvers_of(settings, one, resolv_conf, port) for one in settings.servers}
    timing = timing_of(settings)

    def tried(resolver: VantageSettings, hosted: Sequence[DomainName]) -> OwnResolver:
        return OwnResolver(address=resolver.address, serves=served_by(resolver, timing, hosted))

    def all_tried(server: str, hosted: Sequence[DomainName]) -> tuple[OwnResolver, ...]:
        resolvers = known.get(server)
        if resolvers is None or not hosted:
            return ()
        asked = resolvers()
        with ThreadPoolExecutor(max_workers=max(len(asked), 1)) as pool:
            return tuple(pool.map(lambda one: tried(one, hosted), asked))

    return all_tried


def _resolvers_of(
    settings: Settings, server: ServerSection, resolv_conf: Path, port: int
) -> Callable[[], tuple[VantageSettings, ...]] | None:
    """Return what tells the resolvers that a server asks itself; None where nobody knows, or they are not wanted.

    They are those that are written for it; else, for a server that is this machine, those of ``resolv_conf``.
    """
    if server.resolvers:
        written = tuple(map(_own, server.resolvers))
        return lambda: written
    if settings.dns.own_resolvers and is_this_machine(server):
        return partial(_named_in, resolv_conf, port)
    return None


def _named_in(resolv_conf: Path, port: int) -> tuple[VantageSettings, ...]:
    udp = values.Transport.UDP
    return tuple(_own(values.Endpoint(transport=udp, address=one, port=port)) for one in own_resolvers(resolv_conf))


def _own(place: values.Endpoint) -> VantageSettings:
    return VantageSettings(
        name=str(place),
        operator="this server",
        address=place.address,
        port=place.port,
        transport=Transport(place.transport.value),
        is_own=True,
    )
