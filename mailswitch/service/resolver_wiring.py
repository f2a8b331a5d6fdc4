"""Builds what tries this machine's own resolvers: part of `mailswitch.service.wiring`, for ``doctor``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mailswitch.config.servers import is_this_machine
from mailswitch.config.settings import Settings
from mailswitch.core.mx import Address
from mailswitch.core.names import DomainName
from mailswitch.lookup.own_resolvers import RESOLV_CONF, own_resolvers
from mailswitch.lookup.probe import served_by
from mailswitch.lookup.vantages import VantageSettings
from mailswitch.service.own_resolvers import OwnResolver
from mailswitch.service.wiring import timing_of

__all__ = ["own_resolver_prober"]

_DNS_PORT = 53


def own_resolver_prober(
    settings: Settings, *, resolv_conf: Path = RESOLV_CONF, port: int = _DNS_PORT
) -> Callable[[str, Sequence[DomainName]], tuple[OwnResolver, ...]]:
    """Return what tries, for a server by its name, the resolvers that it asks itself, with a few names hosted there.

    It tries none for a server that is another machine, and none at all where ``dns.own_resolvers`` is false.
    """
    here = {one.name for one in settings.servers if is_this_machine(one) and settings.dns.own_resolvers}
    timing = timing_of(settings)

    def tried(at: Address, hosted: Sequence[DomainName]) -> OwnResolver:
        resolver = VantageSettings(name=str(at), operator="this machine", address=at, port=port)
        return OwnResolver(address=at, serves=served_by(resolver, timing, hosted))

    def all_tried(server: str, hosted: Sequence[DomainName]) -> tuple[OwnResolver, ...]:
        if server not in here or not hosted:
            return ()
        resolvers = own_resolvers(resolv_conf)
        with ThreadPoolExecutor(max_workers=max(len(resolvers), 1)) as pool:
            return tuple(pool.map(lambda at: tried(at, hosted), resolvers))

    return all_tried
