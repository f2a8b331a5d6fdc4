"""What the domain's own name servers say: found from the root downwards, asked without recursion, compared.

Facts:

- A delegation is its parent's word; the way down is from the root, whose servers are hinted at (RFC 1034 §5.3.3).
- Of the root only the top-level label is asked for (RFC 9156 §2.1): it knows no more, and one question serves all names
  below.
- Who delegates to many name servers without addresses can have a resolver ask somebody else very often (NXNSAttack,
  2020): the names looked up for one question are counted, and so are all its queries.
- A name server's name may depend on a zone that depends on it: such a circle has no end, and none is waited for.
- A name server's name is no alias (RFC 2181 §10.3).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import dns.rdatatype

from mailswitch.core.mx import Address
from mailswitch.core.names import DomainName
from mailswitch.core.traffic import Traffic
from mailswitch.lookup.agreement import Hearing
from mailswitch.lookup.delegation import Delegation, NameServer, Said
from mailswitch.lookup.name_servers import NameServers
from mailswitch.lookup.replies import Found, NotThere, Reply, Unfinished, Unreliable
from mailswitch.lookup.vantages import Timing

__all__ = ["Authority", "AuthoritySettings"]

_ROOT = DomainName(".")
_SERVERS_NEEDED = 2
_MAX_QUERIES = 60
"""Queries that one question may cost; an ordinary one costs three to ten."""
_MAX_NAMES = 12
"""Name servers' names that are looked up for one question."""
_MAX_DEPTH = 4
"""How many name servers' names may hang on one another."""
_MAX_HOPS = 8
_ADDRESSES_TRIED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoritySettings:
    """Where the way down begins, and how much the domain's own servers weigh."""

    hints: Mapping[DomainName, tuple[Address, ...]]
    """The root's name servers."""
    is_required: bool = False
    """Nothing is turned off without their word."""
    port: int = 53
    """Where name servers listen; another one is for tests."""


@dataclass(slots=True, eq=False)
class _Budget:
    """What one question may still cost."""

    queries: int = _MAX_QUERIES
    names: int = _MAX_NAMES


@dataclass(frozen=True, slots=True)
class _Errand:
    """One question's way down, or that of a name server's name it needs."""

    budget: _Budget
    needed: int
    """Servers that have to answer."""
    resolving: tuple[DomainName, ...] = ()
    """The name servers' names on whose behalf this is, the outermost first."""


class Authority:
    """Asks domains' own name servers in one sweep, delegations heard are kept; used within one event loop.

    ``remaining`` tells the seconds left until the sweep's deadline; ``rotation`` shifts which servers of a zone are
    asked first.
    """

    def __init__(
        self, settings: AuthoritySettings, timing: Timing, remaining: Callable[[], float], *, rotation: int = 0
    ) -> None:
        servers = tuple(NameServer(name=name, addresses=each) for name, each in sorted(settings.hints.items()))
        hinted = [address for server in servers for address in server.addresses]
        self._servers = NameServers(hinted, settings.port, timing, remaining)
        self._rotation = rotation
        self._turns = asyncio.Semaphore(timing.concurrency)
        self._zones = {_ROOT: Delegation(zone=_ROOT, servers=servers)}
        self._tops: dict[DomainName, asyncio.Task[Said]] = {}
        self._hosts: dict[DomainName, tuple[Address, ...]] = {}
        self._looked_up: dict[DomainName, asyncio.Task[tuple[Address, ...] | None]] = {}

    @property
    def queries(self) -> int:
        """Questions put to name servers; a retried one counts once."""
        return self._servers.queries

    @property
    def failures(self) -> int:
        """Questions that ended without anything to rely on."""
        return self._servers.failures

    @property
    def traffic(self) -> Traffic:
        """How the packets fared so far."""
        return self._servers.traffic

    async def ask(self, name: DomainName, rdtype: dns.rdatatype.RdataType) -> Reply:
        """Return what the name servers of ``name`` say to MX, A or AAAA: two of them, or the only one there is.

        CNAMEs are followed to their end, from the root anew.
        """
        async with self._turns:
            errand = _Errand(_Budget(), _SERVERS_NEEDED)
            chain: tuple[DomainName, ...] = ()
            ttl = timedelta.max
            while True:
                reply = await self._answer((name, *chain)[-1], rdtype, errand)
                if isinstance(reply, Unreliable):
                    return reply
                ttl = min(ttl, reply.ttl)
                chain += reply.canonical
                if not isinstance(reply, Unfinished):
                    return replace(reply, ttl=ttl, canonical=chain)
                if chain[-1] in {name, *chain[:-1]}:
                    return Unreliable("the CNAME chain is a loop")
                if len(chain) > _MAX_HOPS:
                    return Unreliable(f"the CNAME chain has no end after {_MAX_HOPS} names")

    async def _answer(self, name: DomainName, rdtype: dns.rdatatype.RdataType, errand: _Errand) -> Reply:
        """Go down from the nearest zone known, zone by zone: each delegation leads nearer to the name."""
        zone = self._nearest(name)
        if zone.zone.is_root and len(name.labels) > 1:
            said = await self._top(DomainName(name.labels[-1]))
            if isinstance(said, NotThere | Unreliable):
                return said
            zone = self._nearest(name)
        while True:
            said = await self._heard(zone, name, rdtype, errand)
            if not isinstance(said, Delegation):
                return said
            zone = self._zones[said.zone] = said

    def _nearest(self, name: DomainName) -> Delegation:
        labels = name.labels
        above = (DomainName(".".join(labels[start:])) for start in range(len(labels)))
        return next((self._zones[zone] for zone in above if zone in self._zones), self._zones[_ROOT])

    async def _top(self, top: DomainName) -> Said:
        """Ask the root for a top-level domain, once for all names below it."""
        if top not in self._tops:
            errand = _Errand(_Budget(), _SERVERS_NEEDED)
            self._tops[top] = asyncio.create_task(self._heard(self._zones[_ROOT], top, dns.rdatatype.A, errand))
        said = await self._tops[top]
        if isinstance(said, Delegation):
            self._zones.setdefault(said.zone, said)
        return said

    async def _heard(
        self, zone: Delegation, name: DomainName, rdtype: dns.rdatatype.RdataType, errand: _Errand
    ) -> Said:
        """Put one question to a zone's servers, one after another, until it is settled."""
        hearing = Hearing(zone.zone, self._in_turn(zone, name), needed=errand.needed)
        while (server := hearing.next()) is not None:
            addresses = await self._addresses(server, errand)
            if not addresses:
                hearing.fail(f"{server.name}: its address is not known")
            reasons: list[str] = []
            for address in filter(hearing.is_new, addresses[:_ADDRESSES_TRIED]):
                if not errand.budget.queries:
                    return Unreliable(f"it takes more than {_MAX_QUERIES} queries to find its name servers")
                errand.budget.queries -= 1
                said = await self._servers.ask(address, name, rdtype, zone.zone)
                if not isinstance(said, Unreliable):
                    hearing.hear(address, said)
                    break
                reasons.append(f"{server.name} at {address}: {said.reason}")
            else:
                for reason in reasons:
                    hearing.fail(reason)
        return hearing.outcome()

    def _in_turn(self, zone: Delegation, name: DomainName) -> list[NameServer]:
        """Return a zone's servers, those with known addresses first; which of them begins differs by name and sweep."""
        start = (zlib.crc32(name.text.encode()) + self._rotation) % max(len(zone.servers), 1)
        rotated = zone.servers[start:] + zone.servers[:start]
        return sorted(rotated, key=lambda one: not one.addresses and one.name not in self._hosts)

    async def _addresses(self, server: NameServer, errand: _Errand) -> tuple[Address, ...]:
        """Return a name server's addresses: its parent's word, or looked up as far as that has an end."""
        if server.addresses:
            return server.addresses
        if errand.resolving:
            # What is looked up for another question may wait for this very one: only outermost questions wait.
            return await self._looked_up_by(server.name, errand) or ()
        if server.name in self._hosts:
            return self._hosts[server.name]
        running = self._looked_up.get(server.name)
        if running is not None:
            return await running or await self._looked_up_by(server.name, errand) or ()
        running = self._looked_up[server.name] = asyncio.create_task(self._looked_up_by(server.name, errand))
        try:
            return await running or ()
        finally:
            del self._looked_up[server.name]

    async def _looked_up_by(self, name: DomainName, errand: _Errand) -> tuple[Address, ...] | None:
        """Look up a name server's addresses; None where this errand cannot, which says nothing about the name."""
        known = self._hosts.get(name)
        if known is not None:
            return known
        budget = errand.budget
        if name in errand.resolving or len(errand.resolving) >= _MAX_DEPTH or not budget.names:
            return None
        budget.names -= 1
        deeper = replace(errand, needed=1, resolving=(*errand.resolving, name))
        found: tuple[Address, ...] = ()
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            reply = await self._answer(name, rdtype, deeper)
            if isinstance(reply, Found):
                found = tuple(sorted(reply.addresses, key=int))
                break
            if isinstance(reply, Unreliable) and (errand.resolving or not (budget.queries and budget.names)):
                return None
        self._hosts[name] = found
        return found
